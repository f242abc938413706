"""Whatever is refused, the culprit is named first, at a reload and at a first load; no value is."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from dynaconf import ValidationError, Validator

from dynaconf_k8s_reload import ReloadRejected, _dynaconf, get_reloader
from dynaconf_k8s_reload._model.errors import RedactedCause
from dynaconf_k8s_reload.testing import AtomicWriter
from refusals import MARKER, WAYS, content, hook, lazily, make
from support import make_settings


def everything_of(error: BaseException) -> Iterator[Any]:
    """Give what an error tracker would send: texts, causes, and what the frames hold."""
    seen: BaseException | None = error
    while seen is not None:
        yield from (str(seen), repr(seen), seen.args, vars(seen))
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if "dynaconf" in frame.f_code.co_filename:
                yield {name: repr(value) for name, value in list(frame.f_locals.items())}
        seen = seen.__cause__ or seen.__context__


def assert_no_value(error: BaseException) -> None:
    """Neither the error, nor its causes, nor their frames show the value."""
    assert not [each for each in everything_of(error) if MARKER in repr(each)]


@pytest.mark.parametrize("name", WAYS)
def test_the_culprit_comes_first(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, name: str
) -> None:
    """In the log, in ``last_error`` and in ``keys``; some of 50 innocent keys come after it."""
    way = WAYS[name]
    volume.write(content(way, bad=False))
    settings = make(volume, way)
    assert settings.K00 == 1
    reloader = get_reloader(settings)
    logged.clear()

    volume.write(content(way, bad=True))
    result = reloader.reload()

    assert result.outcome == "rejected"
    error = result.error
    assert isinstance(error, ReloadRejected)
    (line,) = [r.getMessage() for r in logged.records if r.levelno == logging.ERROR]
    for text in (str(error), str(reloader.status().last_error), line):
        assert text.startswith(way.culprit), text
        assert way.reason in text
        assert str(volume.directory) in text
        assert "MYAPP_K" not in text.partition("changed keys: ")[0]
    assert error.keys == way.keys
    assert error.mount == (str(volume.directory) if way.keys and way.keys != ("MADE",) else None)
    assert error.reason in str(error)
    assert way.reason in error.reason
    assert_no_value(error)
    assert MARKER not in logged.text
    assert MARKER not in repr(reloader.status())


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.at_first])
def test_a_first_load_names_it_too(volume: AtomicWriter, name: str) -> None:
    """What ``Dynaconf(...)`` raises names the culprit, and neither it nor its frames a value."""
    way = WAYS[name]
    volume.write(content(way, bad=True))
    with pytest.raises(Exception, match=r".") as raised:
        make(volume, way).get("K00")
    error: Any = raised.value
    assert str(error).startswith(way.culprit), error
    assert way.reason in str(error)
    assert "MYAPP_K" not in str(error)
    assert error.keys == way.keys
    assert isinstance(error.__cause__, RedactedCause)
    assert_no_value(error)


def test_a_first_load_that_reads_a_settings_file_of_its_mount_names_it_too(
    volume: AtomicWriter,
) -> None:
    """Such an object is built once more to be of one generation, and refused just so."""
    volume.write({"MYAPP_BAD": "1", "app.toml": "A = 1\n"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=[str(volume.directory / "app.toml")],
        validators=[Validator("BAD", gt=1)],
    )
    with pytest.raises(ValidationError, match=r"^BAD \(MYAPP_BAD\) of ") as raised:
        settings.get("A")
    assert cast("Any", raised.value).keys == ("BAD",)
    assert "MYAPP_BAD" not in os.environ


@pytest.mark.parametrize(
    ("held", "mounts", "wanting"),
    [
        (None, ["config"], "{config} is absent"),
        (None, [], "no mount is followed"),
        ({"POOL": "3"}, ["config"], "POOL of {config} does not begin with MYAPP_"),
        ({"myapp_pool": "3"}, ["config"], "myapp_pool of {config} does not begin with MYAPP_"),
    ],
)
def test_a_first_load_names_what_it_is_refused_for_want_of(
    tmp_path: Path, held: Any, mounts: list[str], wanting: str
) -> None:
    """The mount or the prefix is named with what is missing, since nothing is logged before."""
    if held is not None:
        AtomicWriter(tmp_path / "config").write(held)
    paths = [tmp_path / mount for mount in mounts]
    validators = [Validator("POOL", must_exist=True)]
    with pytest.raises(ValidationError) as caught:
        make_settings(*paths, validators=validators, k8s_prefixed_only=True).get("POOL")
    assert str(caught.value) == (
        "POOL: a validator refuses POOL (required), and "
        f"{wanting.format(config=tmp_path / 'config')}"
    )


def test_a_reload_names_a_key_that_has_lost_its_prefix(volume: AtomicWriter) -> None:
    """It is named beside the key that was there; one that another application has is not."""
    volume.write({"MYAPP_POOL": "3", "RATE": "1"})
    validators = [Validator("POOL", must_exist=True, gte=1)]
    settings = make_settings(volume.directory, validators=validators, k8s_prefixed_only=True)
    reloader = get_reloader(settings)
    ways = [
        ({"POOL": "3"}, f"(required), and POOL of {volume.directory} does not begin with MYAPP_"),
        ({"POOL": "3", "MYAPP_POOL": "0"}, "(gte)"),
    ]
    for held, told in ways:
        volume.write(held)
        error = reloader.reload().error
        assert str(error).startswith(
            f"POOL (MYAPP_POOL) of {volume.directory} rejected: a validator refuses POOL {told};"
        )


def test_of_several_keys_the_one_that_wins_is_named(volume: AtomicWriter, tmp_path: Path) -> None:
    """That of the last mount, whatever holds the setting; in one mount that with the prefix."""
    upper = AtomicWriter(tmp_path / "upper")
    good = {"MYAPP_A": "1", "MYAPP_DB__x": "1", "C": "1", "MYAPP_C": "1"}
    volume.write(good)
    upper.write({"A": "1", "MYAPP_DB": "{x=1}"})
    settings = make_settings(
        volume.directory,
        upper.directory,
        k8s_watch=False,
        validators=[Validator("A", "DB.x", "C", lt=5)],
    )
    reloader = get_reloader(settings)
    for bad, named in (
        ({"A": "9", "MYAPP_DB": "{x=1}"}, "A"),
        ({"A": "1", "MYAPP_DB": "{x=9}"}, "DB.x (MYAPP_DB)"),
    ):
        upper.write(bad)
        error = reloader.reload().error
        assert error is not None
        assert str(error).startswith(f"{named} of {upper.directory} rejected: ")
        assert error.mount == str(upper.directory)
    upper.write({"A": "1"})
    volume.write({**good, "MYAPP_C": "9"})
    assert str(reloader.reload().error).startswith(f"C (MYAPP_C) of {volume.directory} rejected: ")


def test_where_the_environment_wins_it_is_named(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the mount that has the name too, at a reload and at a first load."""
    monkeypatch.setenv("MYAPP_A", "1")
    volume.write({"MYAPP_A": "2"})

    def make_all() -> Any:
        validators = [Validator("A", lt=5)]
        wins = ["MYAPP_A"]
        return make_settings(
            volume.directory, k8s_watch=False, k8s_env_wins=wins, validators=validators
        )

    settings = make_all()
    reloader = get_reloader(settings)
    monkeypatch.setenv("MYAPP_A", "9")
    volume.write({"MYAPP_A": "2", "MYAPP_B": "1"})
    error = reloader.reload().error
    assert error is not None
    assert str(error).startswith("A (MYAPP_A) of the environment in the update of ")
    assert (error.keys, error.mount) == (("A",), None)
    with pytest.raises(ValidationError, match=r"^A \(MYAPP_A\) of the environment: a validator "):
        bool(make_all().A)


def test_a_check_is_told_with_the_settings_that_it_reads(volume: AtomicWriter) -> None:
    """Not with a key of the mount that has the name of one, but is none for want of the prefix."""
    volume.write({"MYAPP_LIMIT": "1", "POOL": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_prefixed_only=True, POOL=5)
    reloader = get_reloader(settings)

    @reloader.on_validate
    def limit_fits(candidate: Any, _: object) -> None:
        if candidate.LIMIT > candidate.POOL:
            raise ValueError

    volume.write({"MYAPP_LIMIT": "9", "POOL": "2"})
    error = reloader.reload().error
    assert error is not None
    assert "in limit_fits, which reads LIMIT; " in str(error)
    assert str(error).endswith("; other changed keys: POOL")
    assert (error.keys, error.mount) == (("LIMIT",), str(volume.directory))


def test_a_hook_of_a_first_load_raises_its_own(volume: AtomicWriter) -> None:
    """What an application's function raises at a start is its own: nothing is made of it."""
    volume.write({"MYAPP_BAD": MARKER})
    with pytest.raises(ValueError, match=MARKER):
        make_settings(volume.directory, k8s_watch=False, post_hooks=[hook]).get("BAD")


def test_a_variable_of_the_process_is_named(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there are no prefixes: its name is all of it, and no mount is to blame."""
    monkeypatch.setenv("FROM_POD", f"@int {MARKER}")
    volume.write({"A": "1"})
    with pytest.raises(Exception, match=r"^FROM_POD of the environment: @int cannot") as raised:
        make_settings(volume.directory, k8s_watch=False, envvar_prefix=False).get("A")
    error: Any = raised.value
    assert (error.keys, error.mount) == (("FROM_POD",), None)
    assert_no_value(error)


def test_a_variable_of_the_process_that_cannot_be_merged_is_named(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It parses, but it is a template that fails when something is to be merged into it."""
    monkeypatch.setenv("MYAPP_BAD", lazily(MARKER))
    monkeypatch.setenv("MYAPP_BAD__x", "1")
    with pytest.raises(Exception, match=r"^MYAPP_BAD of the environment: ") as raised:
        make_settings(volume.directory, k8s_watch=False).get("A")
    error: Any = raised.value
    assert (error.keys, error.mount) == (("MYAPP_BAD",), None)
    assert_no_value(error)


def test_a_variable_of_the_process_that_is_nested_too_deeply_is_named(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It parses, but cannot be set."""
    monkeypatch.setenv("MYAPP_DB__BAD", f"@json {'[' * 900}{']' * 900}")
    with pytest.raises(RecursionError, match=r"^MYAPP_DB__BAD of the environment: ") as raised:
        make_settings(volume.directory, k8s_watch=False).get("A")
    error: Any = raised.value
    assert (error.keys, error.mount) == (("MYAPP_DB__BAD",), None)


def test_a_files_template_is_blamed_on_what_is_merged_into_it(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """No variable has that template, so the one that was being set is named."""
    (tmp_path / "settings.toml").write_text(f"BAD = '{lazily(MARKER)}'\n")
    volume.write({"MYAPP_BAD__x": "1"})
    files = [str(tmp_path / "settings.toml")]
    with pytest.raises(Exception, match=r"^MYAPP_BAD__x of ") as raised:
        make_settings(volume.directory, k8s_watch=False, settings_files=files).get("A")
    assert_no_value(raised.value)


@pytest.mark.parametrize(("hides", "place"), [(False, "refused"), (True, "explained")])
def test_the_place_of_what_another_exception_replaces_is_told(hides: bool, place: str) -> None:
    """It is where things went wrong, unless the application hides it with ``from None``."""

    def refused() -> None:
        raise KeyError(MARKER)

    def explained() -> None:
        try:
            refused()
        except KeyError:
            if hides:
                raise ValueError(MARKER) from None
            raise ValueError(MARKER)  # noqa: B904 -- because that is what is tested

    with pytest.raises(ValueError, match=MARKER) as raised:
        explained()
    told = _dynaconf.told(raised.value)
    assert told.startswith(f"ValueError at {__file__}:")
    assert told.endswith(f" in {place}")


@pytest.mark.parametrize("is_called", [True, False])
def test_the_place_is_in_the_applications_file_that_called_a_package(is_called: bool) -> None:
    """A person can mend that one; where all is packages, it is the one that raised."""
    package: dict[str, Any] = {}
    file = "/venv/site-packages/models/main.py"
    exec(compile("def fail():\n    raise ValueError\n", file, "exec"), package)
    with pytest.raises(ValueError, match=r"^$") as raised:
        package["fail"]()
    error = raised.value
    if not is_called:
        error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr] # reason: it has one
    told = _dynaconf.told(error)
    assert told.startswith(f"ValueError at {__file__ if is_called else file}:")


class PrivateLoader:
    """A loader of the application's, after ours."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def load(self, settings: Any, *_: object, **__: object) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def own_loader(monkeypatch: pytest.MonkeyPatch) -> PrivateLoader:
    made: Any = PrivateLoader()
    monkeypatch.setitem(sys.modules, "own_loader", made)
    return cast("PrivateLoader", made)


def with_own_loader(volume: AtomicWriter) -> Any:
    loaders = ["dynaconf_k8s_reload.loader", "own_loader"]
    return make_settings(volume.directory, k8s_watch=False, loaders=loaders)


def test_where_nothing_is_to_blame_the_update_is(
    volume: AtomicWriter, own_loader: PrivateLoader
) -> None:
    """What a loader of the application's raises has no setting; what has changed is told."""
    volume.write({"MYAPP_A": "1"})
    settings = with_own_loader(volume)
    assert settings.A == 1
    volume.write({"MYAPP_A": MARKER})
    own_loader.error = ValueError(MARKER)
    error: Any = get_reloader(settings).reload().error
    assert str(error).startswith(f"update of {volume.directory} rejected: ValueError at ")
    assert str(error).endswith("; changed keys: MYAPP_A")
    assert (error.keys, error.mount) == ((), None)
    assert_no_value(error)


@pytest.mark.parametrize(
    ("where", "error"), [("validators", ReloadRejected("too many")), ("filter", ValueError("odd"))]
)
def test_what_names_no_setting_at_a_first_load_stays_as_it_is(
    volume: AtomicWriter, where: str, error: Exception
) -> None:
    """Nothing is made of words that were chosen for us, nor of what has no setting to name."""
    volume.write({"MYAPP_A": "1"})

    def refuse(*_: object) -> bool:
        raise error

    options: dict[str, Any] = {
        "validators": {"validators": [Validator("A", condition=refuse)]},
        "filter": {"filter_strategy": refuse},
    }
    with pytest.raises(type(error)) as raised:
        make_settings(volume.directory, k8s_watch=False, **options[where]).get("A")
    assert raised.value is error
