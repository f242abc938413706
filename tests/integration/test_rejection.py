"""An update that is refused changes nothing, anywhere, and says why without saying a value."""

from __future__ import annotations

import inspect
import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from dynaconf import ValidationError, Validator

from dynaconf_k8s_reload import ReloadRejected, get_reloader
from dynaconf_k8s_reload._model.errors import RedactedCause
from dynaconf_k8s_reload._reload.refusal import changed_names
from dynaconf_k8s_reload._source.content import Payload
from dynaconf_k8s_reload._source.files import Files
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings

SECRET = "hunter2-swordfish"
GOOD = {"MYAPP_A": "1", "DB__x": "1", "PASSWORD": "good"}
BAD = {"MYAPP_A": "9", "NEW": SECRET, "PASSWORD": SECRET}


def raises(error: BaseException) -> Any:
    def function(*_: Any) -> Any:
        raise error

    return function


def above_five(value: Any) -> bool:
    return bool(value.A > 5)


POINTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a file that does not parse": (
        {},
        {"app.toml": f'X = "{SECRET}'},
        "rejected: ",
    ),
    "a python file that raises": (
        {},
        {"app.py": f"raise ValueError({SECRET!r})"},
        "rejected: ",
    ),
    "an oversize file": ({}, {"NEW": SECRET * 100_000}, "NEW is larger than 1 MiB"),
    "an operation": (
        {"validators": [Validator("A", lte=5, description=SECRET)]},
        {},
        "a validator refuses A (lte)",
    ),
    "equality": (
        {"validators": [Validator("PASSWORD", ne=SECRET)]},
        {},
        "a validator refuses PASSWORD (ne)",
    ),
    "a validator's condition": (
        {"validators": [Validator("PASSWORD", condition=lambda value: value != SECRET)]},
        {},
        "a validator refuses PASSWORD (<lambda>)",
    ),
    "a condition that raises": (
        {"validators": [Validator("PASSWORD", condition=lambda v: v == "good" or v.nothing)]},
        {},
        "AttributeError",
    ),
    "when": (
        {"validators": [Validator("DB.x", must_exist=True, when=Validator("A", gt=5))]},
        {},
        "a validator refuses DB.x (required)",
    ),
    "and": (
        {"validators": [Validator("A", lte=5) & Validator("PASSWORD", len_max=9)]},
        {},
        "a validator refuses A (lte), PASSWORD (len_max)",
    ),
    "or": (
        {"validators": [Validator("A", lte=5) | Validator("PASSWORD", len_max=9)]},
        {},
        "a validator refuses A (lte), PASSWORD (len_max)",
    ),
    "a cast": (
        {"validators": [Validator("PASSWORD", cast=lambda v: int(v) if v == SECRET else v)]},
        {},
        "ValueError",
    ),
    "a type": (
        {"validators": [Validator("A", is_type_of=int)]},
        {"MYAPP_A": f"'{SECRET}'"},
        "a validator refuses A (is_type_of)",
    ),
    "an @int that is none": (
        {"validators": [Validator("A", lte=5)]},
        {"MYAPP_A": f"@int {SECRET}"},
        "rejected: ",
    ),
    "a lazy cast that fails when read": (
        {"validators": [Validator("A", lte=5)]},
        {"MYAPP_A": "@int @format {this.PASSWORD}"},
        "rejected: ",
    ),
    "a hook": (
        {"post_hooks": [lambda s: raises(ValueError(SECRET))() if s.A > 5 else {}]},
        {},
        "ValueError",
    ),
}
FILES = {"app.toml": 'X = "good"\n', "app.py": 'Y = "good"\n'}


def everything(settings: Any) -> Any:
    return settings.as_dict(), dict(os.environ), get_reloader(settings).status().generation


@pytest.mark.parametrize("point", POINTS)
def test_a_refused_update_changes_nothing_and_shows_no_value(
    volume: AtomicWriter,
    logged: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    point: str,
) -> None:
    """Settings, environment, generation and subscribers are untouched; keys and mount are named."""
    options, change, message = POINTS[point]
    volume.write({**GOOD, **FILES})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=[str(volume.directory / name) for name in FILES],
        **options,
    )
    reloader = get_reloader(settings)
    told: list[Any] = []
    errors: list[ReloadRejected] = []
    reloader.on_change()(told.append)
    reloader.on_error(errors.append)
    before = everything(settings)
    snapshot = reloader.snapshot()

    volume.write({**FILES, **BAD, **change})
    for attempt in range(3):  # the watch's way and an explicit one: one log line, one report
        reloader.following.changed() if attempt % 2 else reloader.reload()
    result = reloader.reload()

    assert result.outcome == "rejected"
    assert everything(settings) == before
    assert result.generation == 1
    assert not result.changes
    assert reloader.snapshot() is snapshot
    eventually(lambda: errors)
    assert len(errors) == 1
    assert not told
    lines = [r for r in logged.records if r.levelno >= logging.ERROR]
    assert len(lines) == 1
    assert message in str(result.error)
    assert str(volume.directory) in str(result.error)
    assert isinstance(errors[0].__cause__, RedactedCause)
    if "1 MiB" not in message:
        assert "changed keys: " in str(result.error)
        assert "PASSWORD" in str(result.error)
    status = reloader.status()
    assert status.rejected == 1
    assert status.last_error == str(result.error)
    assert status.healthy
    trace = "".join(traceback.format_exception(errors[0]))
    said = [*(r.getMessage() for r in logged.records), *(str(r.exc_text) for r in logged.records)]
    said += [repr(result), str(errors[0]), repr(errors[0]), trace, json.dumps(status.as_dict())]
    said += [repr(status), repr(reloader), repr(errors[0].__cause__), *capsys.readouterr()]
    said.append(repr(errors[0].__context__))
    assert not [text for text in said if SECRET in text or "'good'" in text]

    volume.write({**GOOD, **FILES, "MYAPP_A": "2", "NEXT": "1"})
    assert reloader.reload().outcome == "applied"
    assert (settings.A, settings.NEXT, os.environ["MYAPP_A"]) == (2, 1, "2")
    assert reloader.status().last_error is None
    eventually(lambda: told)
    assert sorted(told[0]) == ["A", "NEXT"]


def test_an_unreadable_file_refuses_the_update(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A file without permission keeps the last generation, and is tried again by the watch."""

    volume.write(GOOD)
    reloader = get_reloader(settings)
    before = everything(settings)
    volume.write({**GOOD, **BAD})

    def deny(*_: Any) -> bytes:
        raise PermissionError(13, SECRET)

    with monkeypatch.context() as patch:
        patch.setattr(Files, "read", deny)
        result = reloader.reload()
        assert result.outcome == "rejected"
        assert "cannot be read (EACCES)" in str(result.error)
        assert result.error is not None
        assert result.error.keys == ("DB__x",)
        assert str(result.error).startswith(f"DB__x of {volume.directory} rejected: ")
        assert SECRET not in "".join(traceback.format_exception(result.error))
        assert everything(settings) == before
        assert "cannot be read" in str(reloader.status().mounts[0].problem)
    reloader.following.changed()
    assert settings.A == 9
    assert reloader.status().mounts[0].problem is None


def test_a_check_of_the_application_refuses_with_its_own_words(
    volume: AtomicWriter, settings: Any
) -> None:
    """``ReloadRejected`` shows its words; any other exception only its type and place."""
    volume.write(GOOD)
    reloader = get_reloader(settings)
    before = everything(settings)
    seen: list[Any] = []

    @reloader.on_validate
    def check(candidate: Any, changes: Any) -> None:
        seen.append((candidate.A, settings.A, sorted(changes), os.environ["MYAPP_A"]))
        if len(seen) == 1:
            raise ReloadRejected("DB.POOL exceeds DB.MAX")
        raise KeyError(SECRET)

    volume.write(BAD)
    first, second = reloader.reload(), reloader.reload()
    assert first.error is not None
    assert second.error is not None
    assert seen[0] == (9, 1, ["A", "DB.x", "NEW", "PASSWORD"], "1")
    assert first.error.reason == "DB.POOL exceeds DB.MAX"
    assert str(first.error).startswith("the check check rejects the update of ")
    assert ": KeyError at " in str(second.error)
    assert " in check, which reads A; " in str(second.error)
    assert first.error.keys == second.error.keys == ("A",)
    assert SECRET not in "".join(traceback.format_exception(second.error))
    assert everything(settings) == before
    reloader.unsubscribe(check)
    assert reloader.reload().outcome == "applied"


@pytest.mark.parametrize("options", [{"validate_only": ["A"]}, {"validate_exclude": ["PASS"]}])
def test_validate_only_and_exclude_count_as_at_start(
    volume: AtomicWriter, options: dict[str, Any]
) -> None:
    """What the construction did not validate is not validated later either."""
    volume.write(GOOD)
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        validators=[Validator("PASSWORD", ne=SECRET), Validator("A", lte=10)],
        **options,
    )
    reloader = get_reloader(settings)
    volume.write(BAD)
    assert reloader.reload().outcome == "applied"
    volume.write({**BAD, "MYAPP_A": "11"})
    assert reloader.reload().outcome == "rejected"
    assert settings.A == 9


def test_defaults_and_casts_of_validators_apply_as_at_start(volume: AtomicWriter) -> None:
    """A key that goes falls back to its validator's default, and one that comes is cast."""
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        validators=[
            Validator("A", default=7, cast=str),
            Validator("B", default=lambda settings, validator: f"<{settings.A}>"),
        ],
    )
    assert (settings.A, settings.B) == ("1", "<1>")
    volume.write({})
    get_reloader(settings).reload()
    assert (settings.A, settings.B) == ("7", "<7>")


def test_refused_content_is_tried_again_only_when_asked(
    volume: AtomicWriter, settings: Any
) -> None:
    """The watch leaves refused content alone until it changes; ``reload()`` always tries."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    tries: list[int] = []

    @reloader.on_validate
    def check(candidate: Any, _: Any) -> None:
        tries.append(candidate.A)
        raise ReloadRejected("no")

    volume.write({"A": "2"})
    for _ in range(3):
        reloader.following.changed()
    assert tries == [2]
    reloader.reload()
    assert tries == [2, 2]
    volume.write({"A": "3"})
    reloader.following.changed()
    assert tries == [2, 2, 3]
    assert reloader.status().rejected == 2
    volume.write({"A": "1"})
    assert reloader.reload().outcome == "unchanged"
    assert reloader.status().last_error is None


def test_the_watch_refuses_what_would_end_its_thread(volume: AtomicWriter, tmp_path: Path) -> None:
    """``sys.exit()`` in a settings file refuses the update; only a call passes it on."""
    file = volume.directory / "app.py"
    volume.write({"app.py": "X = 1\n"})
    settings = make_settings(volume.directory, settings_files=[str(file)], k8s_resync=0.05)
    reloader = get_reloader(settings)
    volume.write({"app.py": "import sys\nsys.exit(3)\n"})
    eventually(lambda: reloader.status().rejected == 1)
    assert "SystemExit" in str(reloader.status().last_error)
    assert settings.X == 1
    with pytest.raises(SystemExit):
        reloader.reload()
    assert (settings.X, reloader.status().generation) == (1, 1)
    volume.write({"app.py": "X = 2\n"})
    eventually(lambda: settings.X == 2)
    assert reloader.status().watching != "off"
    sys.modules.pop("app", None)


def test_a_template_that_fails_is_no_failure_of_the_update(
    volume: AtomicWriter, settings: Any
) -> None:
    """A lazy value that nobody validates is evaluated by who reads it, as at a start."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    volume.write({"A": "2", "L": "@format {this.NOT_THERE}"})
    assert reloader.reload().outcome == "applied"
    assert settings.A == 2
    with pytest.raises(Exception, match="NOT_THERE"):
        settings.get("L")


@pytest.mark.parametrize("whose", ["its own", "read"])
def test_a_check_may_name_keys(volume: AtomicWriter, settings: Any, whose: str) -> None:
    """The keys that a check names count; else those that it reads, among the changed ones."""
    volume.write({"DB__POOL": "1", "DB__MAX": "1", "OTHER": "1", "ELSE": "1"})
    reloader = get_reloader(settings)
    own: dict[str, Any] = {"keys": ["ELSE"], "mount": "/else"} if whose == "its own" else {}

    def check(candidate: Any, _: Any) -> None:
        if candidate.get("DB.MAX") < candidate.DB.POOL:
            raise ReloadRejected("too many\nat once", **own)

    reloader.on_validate(check)
    volume.write({"DB__POOL": "3", "DB__MAX": "2", "OTHER": "2", "ELSE": "2"})
    error: Any = reloader.reload().error
    if whose == "its own":
        assert (error.keys, error.mount) == (("ELSE",), "/else")
        assert str(error).endswith("changed keys: DB__MAX, DB__POOL, OTHER")
    else:
        assert (error.keys, error.mount) == (("DB.MAX", "DB.POOL"), str(volume.directory))
        assert str(error).endswith("other changed keys: ELSE, OTHER")
    assert error.reason == r"too many\nat once"


def test_ten_other_keys_are_named_at_most(volume: AtomicWriter, settings: Any) -> None:
    """A long list of changed keys is cut, and counted."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    volume.write({"A": "@int x", **{f"K{n:04}": "1" for n in range(1500)}})
    error = reloader.reload().error
    assert str(error).endswith(
        "changed keys: " + ", ".join(f"K000{n}" for n in range(10)) + " and 1,490 more"
    )


@pytest.mark.parametrize("detailed", [True, False])
def test_a_validation_error_of_the_applications(
    volume: AtomicWriter, settings: Any, detailed: bool
) -> None:
    """Where no validator ran, what the error itself names is named, and no message repeated."""
    volume.write({"A": "1", "B": "1"})
    reloader = get_reloader(settings)
    both = Validator("A", gte=2, must_exist=True) & Validator("B", condition=above_five)
    free = Validator("C")
    details = [(both, SECRET), (free, SECRET)] if detailed else []

    @reloader.on_validate
    def check(*_: Any) -> None:
        raise ValidationError(SECRET, details=details)

    volume.write({"A": "2", "B": "2"})
    error: Any = reloader.reload().error
    if detailed:
        assert "a validator refuses A (required, gte), B (above_five), C (its value)" in str(error)
        assert error.keys == ("A", "B", "C")
    else:
        assert ": ValidationError at " in str(error)
        assert error.keys == ()
    assert SECRET not in str(error)


def test_a_hook_that_validates_is_not_to_blame(volume: AtomicWriter) -> None:
    """Whoever ran the validators, the setting is named; of all that failed, each."""
    volume.write({"A": "1", "B": "1", "C": "1"})

    def hook(settings: Any) -> dict[str, Any]:
        settings.validators.register(Validator("A", lte=1), Validator("B", lte=1))
        settings.validators.validate_all()
        return {}

    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    reloader = get_reloader(settings)
    volume.write({"A": "2", "B": "2", "C": "2"})
    error: Any = reloader.reload().error
    assert error.keys == ("A", "B")
    assert "a validator refuses A (lte), B (lte)" in str(error)


@pytest.mark.skipif(
    "items_validators" not in inspect.signature(Validator).parameters, reason="since 3.3"
)
@pytest.mark.parametrize(
    ("text", "validator", "rule"),
    [
        ("[{port=1}, {port=99}]", {"items_validators": ["port"]}, "port lte"),
        ("[1, 99]", {"items_validators": []}, "lte"),
    ],
)
def test_an_item_that_a_validator_refuses(
    volume: AtomicWriter, text: str, validator: dict[str, Any], rule: str
) -> None:
    """What holds the item is named, and of the item no more than the validator's author wrote."""
    items = [Validator(*validator["items_validators"], lte=9)]
    volume.write({"MYAPP_A": "[]"})
    settings = make_settings(
        volume.directory, k8s_watch=False, validators=[Validator("A", items_validators=items)]
    )
    reloader = get_reloader(settings)
    volume.write({"MYAPP_A": text})
    error: Any = reloader.reload().error
    assert f"a validator refuses A ({rule})" in str(error)
    assert error.keys == ("A",)
    assert "99" not in str(error).replace(str(volume.directory), "")


def test_an_include_and_an_environment_variable_are_named(
    volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file outside the mounts by its path, a variable of the process by its name."""
    included = tmp_path / "included.toml"
    included.write_text("X = 1")
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, includes=[str(included)])
    reloader = get_reloader(settings)
    included.write_text(f"X = 1\nY = {SECRET}\n")
    volume.write({"A": "2"})
    error: Any = reloader.reload().error
    assert str(error).startswith(f"{included} in the update of {volume.directory} rejected: ")
    assert "TOMLDecodeError in line 2" in str(error)
    assert (error.keys, error.mount) == ((str(included),), None)
    included.write_text("X = 1")

    monkeypatch.setenv("MYAPP_FROM_POD", f"@int {SECRET}")
    error = reloader.reload().error
    assert str(error).startswith("MYAPP_FROM_POD of the environment in the update of ")
    assert error.keys == ("MYAPP_FROM_POD",)
    assert SECRET not in str(error)


def test_changed_names_are_variables_and_settings_files(volume: AtomicWriter) -> None:
    """What was added, changed and removed is named, in variables and in settings files."""
    from dynaconf_k8s_reload import Mount
    from dynaconf_k8s_reload._source.reading import read

    mount = Mount(str(volume.directory))
    volume.write({"A": "1", "B": "1", "app.toml": "X = 1", "same.toml": ""})
    old = Payload([read(mount)])
    volume.write({"B": "2", "C": "1", "app.toml": "X = 2", "same.toml": ""})
    assert changed_names(old, Payload([read(mount)])) == ["A", "B", "app.toml", "C"]
