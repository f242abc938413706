"""Classes of ``dynaconf.typed``: they follow, and their validators belong to the first load."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dynaconf import ValidationError, Validator

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings

MARKER = "zQ7marker"


@pytest.fixture
def load(volume: AtomicWriter) -> Callable[..., Any]:
    """Make an object of a class with the field ``port: int``, and of further options."""
    typed: Any = pytest.importorskip("dynaconf.typed", reason="dynaconf since 3.3")

    def make(*validators: Any, **options: Any) -> Any:
        namespace = {
            "__annotations__": {"port": int},
            "dynaconf_options": typed.Options(envvar_prefix="MYAPP"),
        }
        options.setdefault("k8s_watch", False)
        return type("Schema", (typed.Dynaconf,), namespace)(
            loaders=["dynaconf_k8s_reload.loader"],
            k8s_mounts=[str(volume.directory)],
            validators=list(validators),
            **options,
        )

    return make


def test_a_typed_class_follows(volume: AtomicWriter, load: Callable[..., Any]) -> None:
    """As any other settings do, and its validators refuse an update."""
    volume.write({"MYAPP_PORT": "1"})
    settings = load(k8s_watch=True)
    volume.write({"MYAPP_PORT": "2"})
    eventually(lambda: settings.PORT == 2 == int(os.environ["MYAPP_PORT"]))
    volume.write({"MYAPP_PORT": "not a port"})
    assert get_reloader(settings).reload().outcome == "rejected"
    assert settings.PORT == 2


def _own_words(value: object) -> bool:
    raise ValidationError(f"what about {value}?")


class _OfItsOwn(Validator):  # type: ignore[misc] # reason: dynaconf is untyped
    def validate(self, settings: Any, *_: Any, **__: Any) -> None:
        raise ValidationError(f"what about {settings.NAME}?")


REFUSALS: dict[str, tuple[Any, str]] = {
    "type": (Validator("NAME", is_type_of=int), r"NAME must is_type_of <class 'int'> but it is …"),
    "rule": (Validator("NAME", len_min=99), r"NAME must len_min 99 but it is … in env main$"),
    "condition": (Validator("NAME", condition=str.isdigit), r"NAME invalid for isdigit\(…\) in"),
    "absent": (Validator("OTHER", must_exist=True), r"OTHER is required in env main$"),
    "present": (Validator("NAME", must_exist=False), r"NAME cannot exists in env main$"),
    "not applicable": (Validator("NAME", gt=1), r"Invalid Operation 'gt' for .* on 'NAME'$"),
    "own message": (
        Validator("NAME", eq="x", messages={"operations": "{name}, not {value!r}"}),
        r": NAME, not …$",
    ),
    "one of two": (
        Validator("NAME", eq="x") | Validator("NAME", must_exist=True) & Validator("NAME", eq="y"),
        r": combined validators failed NAME must eq x .* … in env main or NAME must eq y .* …",
    ),
    "own words": (
        Validator("NAME", condition=_own_words),
        r"a validator refuses NAME \(_own_words\)$",
    ),
    "own validator": (_OfItsOwn("NAME", is_type_of=str), r"refuses NAME \(is_type_of\)$"),
    "items": (
        Validator("NAMES", items_validators=[Validator(len_max=3)]),
        r"NAMES\.1 must len_max 3 but it is … in env main",
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_has_the_words_of_dynaconf_and_no_value(
    volume: AtomicWriter, load: Callable[..., Any], kind: str
) -> None:
    """The key and the mount come before them; no frame holds the value, and nothing is left."""
    validator, words = REFUSALS[kind]
    texts = {"MYAPP_PORT": "1", "MYAPP_NAME": MARKER, "MYAPP_NAMES": f'["x", "{MARKER}"]'}
    volume.write(texts)
    with pytest.raises(ValidationError, match=words) as raised:
        load(validator)
    assert all(MARKER not in str(detail) for detail in raised.value.details)
    shown: Any = traceback.TracebackException(
        type(raised.value), raised.value, raised.tb, capture_locals=True
    )
    own = 1  # this test's frame, which has the texts
    assert all(MARKER not in str(frame.locals) for frame in list(shown.stack)[own:])
    assert MARKER not in "".join(shown.format_exception_only()) + str(vars(raised.value))
    assert raised.value.__context__ is None
    assert "MYAPP_NAME" not in os.environ


def test_a_refusal_names_the_variable_and_all_that_is_wrong(
    volume: AtomicWriter, load: Callable[..., Any]
) -> None:
    """A number that is out of its range is said, as dynaconf says it."""
    volume.write({"MYAPP_PORT": "70000", "MYAPP_NAME": MARKER})
    rules = Validator("PORT", lt=65536), Validator("NAME", len_max=3)
    with pytest.raises(ValidationError) as raised:
        load(*rules)
    error: Any = raised.value
    assert error.keys == ("PORT", "NAME")
    assert error.mount == str(volume.directory)
    assert str(error) == (
        f"PORT (MYAPP_PORT) of {error.mount}, NAME (MYAPP_NAME) of {error.mount}: PORT must lt "
        "65536 but it is 70000 in env main; NAME must len_max 3 but it is … in env main"
    )


def test_a_refused_object_is_refused_again(volume: AtomicWriter, load: Callable[..., Any]) -> None:
    """A viewer of the error asks the lazy wrapper for an attribute, which makes it load anew."""
    volume.write({"MYAPP_PORT": MARKER})
    with pytest.raises(ValidationError) as raised:
        load()
    (wrapper,) = {
        id(found): found
        for frame, _ in traceback.walk_tb(raised.tb)
        if (found := frame.f_locals.get("new_cls")) is not None
    }.values()
    with pytest.raises(ValidationError, match="port"):
        _ = wrapper.port
    assert "MYAPP_PORT" not in os.environ


def test_a_typed_class_is_validated_once_within_its_first_load(
    volume: AtomicWriter, load: Callable[..., Any], tmp_path: Path
) -> None:
    """So a refused one goes on with the last good content; what a hook makes has its own rules."""
    inner: list[Any] = []

    def hook(_: Any) -> dict[str, Any]:
        inner.append(make_settings(volume.directory, k8s_watch=False, envvar_prefix="OTHER"))
        assert inner[-1].get("PORT") is None
        return {}

    def start() -> Any:
        one_more = Validator("PORT", cast=lambda port: port + 1)
        return load(one_more, k8s_last_good=str(tmp_path / "good"), post_hooks=[hook])

    volume.write({"MYAPP_PORT": "1"})
    assert start().PORT == 2
    assert len(inner[0].validators) == 0
    volume.write({"MYAPP_PORT": MARKER})
    for _ in range(2):  # the first has not taken the place of what was good
        settings = start()
        assert settings.PORT == 2
        status = get_reloader(settings).status()
        assert "PORT" in str(status.last_error)
        assert MARKER not in str(status)
