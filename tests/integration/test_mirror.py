"""The disciplined environment, end to end: who owns a variable, and what the process had before."""

from __future__ import annotations

import gc
import itertools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dynaconf_k8s_reload import ConfigError, Mount, get_reloader
from dynaconf_k8s_reload._environ.mirror import Mirror
from dynaconf_k8s_reload._environ.overlay import Proposal
from dynaconf_k8s_reload._model.names import Names
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._source.content import Payload
from dynaconf_k8s_reload._source.reading import read
from dynaconf_k8s_reload._watch import RENEWED_AFTER_FORK
from dynaconf_k8s_reload.testing import AtomicWriter
from support import forked, make_settings, own_process

PREFIXED, PLAIN = "MYAPP_SHOWN", "SHOWN_PLAIN"
FIRST, SECOND, ELSEWHERE = "first", "second", "elsewhere"
FATES: dict[str, list[str | None]] = {
    "stays": [FIRST, FIRST, FIRST],
    "changes": [FIRST, SECOND, FIRST],
    "goes": [FIRST, None, None],
    "returns": [FIRST, None, SECOND],
}


Boot = Callable[[str, str], None]


class Cell(NamedTuple):
    """One case of the table."""

    boot: str | None
    fate: str
    env_wins: bool
    mirror: Literal["yes", "no", "secret"]


class Seen(NamedTuple):
    """What an application sees of one ConfigMap key."""

    variable: str | None
    by_prefixed_name: str | None
    by_plain_name: str | None


MIRROR: list[Literal["yes", "no", "secret"]] = ["yes", "no", "secret"]
CELLS = [
    Cell(boot, fate, env_wins, mirror)
    for boot, fate, env_wins in itertools.product((None, FIRST, ELSEWHERE), FATES, (False, True))
    for mirror in MIRROR
]


@pytest.fixture
def at_boot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Boot]:
    """Sets a variable that the process has from the start; it goes when the mirror has ended."""
    yield monkeypatch.setenv
    each: Any
    for each in list(RENEWED_AFTER_FORK):
        each.stop(restore=True)


def a_restarted_process(cell: Cell, mounted: str | None) -> Seen:
    """What a process that starts now would see, worked out from the rules alone."""
    if cell.env_wins and cell.boot is not None:
        return Seen(cell.boot, cell.boot, cell.boot if mounted is not None else None)
    # What envFrom brought at the start goes with the key; what came another way is there again.
    another_way = cell.boot if cell.boot != FIRST else None
    from_here_on = mounted if mounted is not None else another_way
    variable = from_here_on if cell.mirror == "yes" else cell.boot
    return Seen(variable, from_here_on, mounted)


def mount_of(volume: AtomicWriter, **fields: Any) -> dict[str, Any]:
    return {"path": str(volume.directory), **fields}


def reload(settings: Any) -> None:
    assert get_reloader(settings).reload().outcome == "applied"


def messages(logged: pytest.LogCaptureFixture, containing: str) -> list[str]:
    return [message for message in logged.messages if containing in message]


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c.boot}-{c.fate}-{c.env_wins}-{c.mirror}")
def test_table(volume: AtomicWriter, at_boot: Boot, cell: Cell) -> None:
    """In each case setting and variable are, after every step, those of a restarted process."""
    for name in (PREFIXED, PLAIN):
        if cell.boot is not None:
            at_boot(name, cell.boot)
    fields = {"yes": {}, "no": {"mirror": False}, "secret": {"secret": True}}[cell.mirror]
    settings: Any = None
    for step, mounted in enumerate(FATES[cell.fate]):
        keys = {} if mounted is None else {PREFIXED: mounted, PLAIN: mounted}
        volume.write({**keys, "STEP": str(step)})
        if settings is None:
            wins = ["*SHOWN*"] if cell.env_wins else []
            settings = make_settings(mount_of(volume, **fields), k8s_watch=False, k8s_env_wins=wins)
            settings.reload()  # dynaconf's own serves the same
        else:
            reload(settings)
        expected = a_restarted_process(cell, mounted)
        assert (os.environ.get(PREFIXED), os.environ.get(PLAIN)) == (expected.variable,) * 2
        assert settings.get("SHOWN") == expected.by_prefixed_name
        assert settings.get("SHOWN_PLAIN") == expected.by_plain_name
        assert settings.get_fresh("SHOWN") == expected.by_prefixed_name


# several mounts


@pytest.fixture
def other(tmp_path: Path) -> AtomicWriter:
    """A second mount."""
    return AtomicWriter(tmp_path / "other")


@pytest.mark.parametrize("boot", [None, ELSEWHERE])
def test_the_last_mount_wins(
    volume: AtomicWriter, other: AtomicWriter, at_boot: Boot, boot: str | None
) -> None:
    """Of several mounts the last wins; the one beneath shows through, and at last the process."""
    if boot is not None:
        at_boot("MYAPP_KEY", boot)
    volume.write({"MYAPP_KEY": "below"})
    other.write({"MYAPP_KEY": "above"})
    settings = make_settings(volume.directory, other.directory, k8s_watch=False)
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == ("above", "above")
    other.write({})
    reload(settings)
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == ("below", "below")
    volume.write({})
    reload(settings)
    assert (settings.get("KEY"), os.environ.get("MYAPP_KEY")) == (boot, boot)


def test_what_a_hidden_mount_says_came_by_env_from(
    volume: AtomicWriter, other: AtomicWriter, at_boot: Boot
) -> None:
    """A value that a mount beneath provides too came by `envFrom`, and goes with the last key."""
    at_boot("MYAPP_KEY", "below")
    volume.write({"MYAPP_KEY": "below"})
    other.write({"MYAPP_KEY": "above"})
    settings = make_settings(volume.directory, other.directory, k8s_watch=False)
    assert settings.KEY == "above"
    for writer in (volume, other):
        writer.write({})
    reload(settings)
    assert (settings.get("KEY"), os.environ.get("MYAPP_KEY")) == (None, None)


# give-back


@pytest.mark.parametrize(
    ("env_from", "boot", "afterwards"),
    [
        (True, ELSEWHERE, None),
        (True, FIRST, None),
        (False, ELSEWHERE, ELSEWHERE),
        (False, FIRST, FIRST),
        (None, ELSEWHERE, ELSEWHERE),
        (None, FIRST, None),
    ],
)
def test_a_mount_can_say_whether_it_is_env_from(
    volume: AtomicWriter,
    at_boot: Boot,
    env_from: bool | None,
    boot: str,
    afterwards: str | None,
) -> None:
    """With `env_from=True` nothing is given back, with `False` everything, in the same reload."""
    at_boot("MYAPP_KEY", boot)
    volume.write({"MYAPP_KEY": FIRST})
    settings = make_settings(mount_of(volume, env_from=env_from), k8s_watch=False)
    assert settings.KEY == FIRST
    seen: list[Any] = []
    get_reloader(settings).on_validate(lambda candidate, _: seen.append(candidate.get("KEY")))
    volume.write({})
    reload(settings)
    assert seen == [afterwards]
    assert (settings.get("KEY"), os.environ.get("MYAPP_KEY")) == (afterwards, afterwards)


@pytest.mark.parametrize(
    ("boot", "env_from", "warned"),
    [(ELSEWHERE, None, 1), (ELSEWHERE, True, 0), (FIRST, None, 0), (None, None, 0)],
)
def test_a_differing_boot_value_is_a_warning(
    *,
    volume: AtomicWriter,
    at_boot: Boot,
    logged: pytest.LogCaptureFixture,
    boot: str | None,
    env_from: bool | None,
    warned: int,
) -> None:
    """A boot value that the mount overrides is a warning, once, that names both remedies."""
    if boot is not None:
        at_boot("MYAPP_KEY", boot)
    volume.write({"MYAPP_KEY": FIRST})
    settings = make_settings(mount_of(volume, env_from=env_from), k8s_watch=False)
    assert settings.KEY == FIRST
    volume.set("OTHER", "1")
    reload(settings)
    found = messages(logged, "MYAPP_KEY had another value")
    assert len(found) == warned
    assert all("k8s_env_wins" in text and "env_from=True" in text for text in found)
    assert not any(value in text for text in logged.messages for value in (FIRST, ELSEWHERE))


def test_a_boot_value_is_told_after_a_stopped_object(
    volume: AtomicWriter, at_boot: Boot, logged: pytest.LogCaptureFixture
) -> None:
    """A value of the process is told even if a stopped object had mirrored its name."""
    volume.write({"MYAPP_KEY": FIRST})
    get_reloader(make_settings(volume.directory, k8s_watch=False)).stop(restore=True)
    assert not messages(logged, "MYAPP_KEY had another value")
    at_boot("MYAPP_KEY", "boot")
    assert make_settings(volume.directory, k8s_watch=False).KEY == FIRST
    assert len(messages(logged, "MYAPP_KEY had another value")) == 1


def test_stop_restore_puts_the_environment_back(volume: AtomicWriter, at_boot: Boot) -> None:
    """`stop(restore=True)` undoes every write, but not what the application has changed since."""
    at_boot("CAME_BY_ENV_FROM", "1")
    at_boot("GONE", "1")
    at_boot("DIFFERING", "boot")
    at_boot("REWRITTEN", "boot")
    before = dict(os.environ)
    named = ("CAME_BY_ENV_FROM", "GONE", "DIFFERING", "REWRITTEN", "NEW")
    volume.write(dict.fromkeys(named, "1"))
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    volume.write({name: "2" for name in named if name != "GONE"})
    reload(settings)
    assert "GONE" not in os.environ
    os.environ["REWRITTEN"] = "the application's"
    reloader.stop(restore=True)
    assert dict(os.environ) == {**before, "REWRITTEN": "the application's"}
    assert settings.NEW == 2

    reloader.start()
    assert all(os.environ[name] == "2" for name in named if name != "GONE")
    reloader.stop(restore=True)
    assert dict(os.environ) == {**before, "REWRITTEN": "the application's"}

    reloader.start()
    reloader.stop()
    volume.write({})
    reload(settings)
    left = {name: os.environ.get(name) for name in named if name != "GONE"}
    assert left == {
        "CAME_BY_ENV_FROM": None,
        "DIFFERING": "boot",
        "REWRITTEN": "the application's",
        "NEW": None,
    }


def test_stop_and_start_keep_what_is_known(volume: AtomicWriter, at_boot: Boot) -> None:
    """After `stop()` variables stay; after `start()` the value from before is still given back."""
    at_boot("MYAPP_KEY", ELSEWHERE)
    volume.write({"MYAPP_KEY": FIRST})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    reloader.stop()
    assert os.environ["MYAPP_KEY"] == FIRST
    reloader.start()
    reloader.stop()
    volume.write({})
    reload(settings)
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == (ELSEWHERE, ELSEWHERE)


# several reloaders


def test_the_reloader_loaded_last_wins(
    volume: AtomicWriter, other: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """Of two reloaders the last loaded wins, a warning names both, and a stopped one yields."""
    volume.write({"CONTESTED": "first's"})
    other.write({"CONTESTED": "second's"})
    first = make_settings(volume.directory, k8s_watch=False)
    assert first.CONTESTED == "first's"
    second = make_settings(other.directory, k8s_watch=False)
    assert (second.CONTESTED, os.environ["CONTESTED"]) == ("second's", "second's")
    (warning,) = messages(logged, "CONTESTED is provided")
    assert str(volume.directory) in warning
    assert str(other.directory) in warning

    volume.write({"CONTESTED": "first's again"})
    reload(first)
    assert (first.CONTESTED, os.environ["CONTESTED"]) == ("first's again", "second's")
    get_reloader(second).stop()
    assert os.environ["CONTESTED"] == "first's again"
    get_reloader(second).start()
    get_reloader(first).stop()
    assert os.environ["CONTESTED"] == "second's"
    get_reloader(second).stop(restore=True)
    assert os.environ["CONTESTED"] == "first's again"
    get_reloader(first).stop(restore=True)
    assert "CONTESTED" not in os.environ


def test_the_key_of_the_winner_goes(volume: AtomicWriter, other: AtomicWriter) -> None:
    """When the winner's key goes, the other reloader's value shows through."""
    volume.write({"MYAPP_KEY": "first's"})
    other.write({"MYAPP_KEY": "second's"})
    first, second = (make_settings(w.directory, k8s_watch=False) for w in (volume, other))
    assert (first.KEY, second.KEY) == ("first's", "second's")
    other.write({})
    reload(second)
    assert os.environ["MYAPP_KEY"] == "first's"
    assert second.KEY == "first's"  # as from any variable that a process has
    volume.write({})
    reload(first)
    assert "MYAPP_KEY" not in os.environ
    assert first.get("KEY") is None


def test_a_collected_reloader_yields(volume: AtomicWriter, other: AtomicWriter) -> None:
    """The claim of a collected reloader yields to the next write of another."""
    volume.write({"MYAPP_KEY": "first's"})
    other.write({"MYAPP_KEY": "second's"})
    first, second = (make_settings(w.directory, k8s_watch=False) for w in (volume, other))
    assert (first.KEY, second.KEY) == ("first's", "second's")
    del second
    gc.collect()
    volume.set("MORE", "1")
    reload(first)
    assert os.environ["MYAPP_KEY"] == "first's"
    volume.delete("MYAPP_KEY")
    reload(first)
    assert "MYAPP_KEY" not in os.environ


def test_what_a_collected_reloader_left_is_not_the_process_s(volume: AtomicWriter) -> None:
    """A deleted key does not return from a variable that a collected reloader left behind."""
    volume.write({"MYAPP_KEY": "1"})
    assert make_settings(volume.directory, k8s_watch=False).KEY == 1
    gc.collect()
    volume.write({})
    second = make_settings(volume.directory, k8s_watch=False)
    assert second.get("KEY") is None
    del os.environ["MYAPP_KEY"]


def test_two_reloaders_of_one_mount_are_no_contest(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """Two reloaders of one mount agree as soon as both have followed: that is no warning."""
    volume.write({"KEY": "1"})
    first, second = (make_settings(volume.directory, k8s_watch=False) for _ in range(2))
    assert first.KEY == second.KEY == 1
    volume.write({"KEY": "2"})
    reload(first)
    reload(second)
    assert os.environ["KEY"] == "2"
    assert not messages(logged, "is provided by")


# the application's own writes


def test_the_application_s_write_stands(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """What the application writes to an owned variable stands until the mount's value changes."""
    volume.write({"WRITTEN": "1", "REMOVED": "1", "OTHER": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.WRITTEN == 1
    os.environ["WRITTEN"] = "the application's"
    del os.environ["REMOVED"]
    volume.set("OTHER", "2")
    get_reloader(settings).following.changed()
    assert os.environ["WRITTEN"] == "the application's"
    assert "REMOVED" not in os.environ
    assert settings.WRITTEN == 1
    (record,) = [r for r in logged.records if "written by the application" in r.getMessage()]
    assert record.levelname == "DEBUG"
    assert "WRITTEN" in record.getMessage()
    assert "REMOVED" in record.getMessage()
    volume.write({"WRITTEN": "2", "REMOVED": "2", "OTHER": "2"})
    reload(settings)
    assert (os.environ["WRITTEN"], os.environ["REMOVED"]) == ("2", "2")


def test_the_application_s_write_wins_where_it_shall(volume: AtomicWriter) -> None:
    """With `k8s_env_wins` the application's write beats the mount for good, even its removal."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_env_wins=["MYAPP_*"])
    assert settings.KEY == 1
    os.environ["MYAPP_KEY"] = "7"
    for value in ("2", "3"):
        volume.set("MYAPP_KEY", value)
        reload(settings)
        assert (settings.KEY, os.environ["MYAPP_KEY"]) == (7, "7")
    volume.write({})
    reload(settings)
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == (7, "7")
    del os.environ["MYAPP_KEY"]


def test_a_key_that_returns_after_a_write(volume: AtomicWriter) -> None:
    """What the application wrote while the key was away is what the process had before."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == 1
    volume.write({})
    reload(settings)
    os.environ["MYAPP_KEY"] = "7"
    volume.write({"MYAPP_KEY": "2"})
    reload(settings)
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == (2, "2")
    volume.write({})
    reload(settings)
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == (7, "7")
    del os.environ["MYAPP_KEY"]


@pytest.mark.parametrize("boot", [FIRST, ELSEWHERE])
def test_options_that_configure_changes(volume: AtomicWriter, at_boot: Boot, boot: str) -> None:
    """Where `configure()` lets the environment win, the process's value from before is back."""
    at_boot("MYAPP_KEY", boot)
    volume.write({"MYAPP_KEY": FIRST})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == FIRST
    volume.write({"MYAPP_KEY": SECOND})
    reload(settings)
    assert os.environ["MYAPP_KEY"] == SECOND
    settings.configure(k8s_env_wins=["MYAPP_KEY"])
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == (boot, boot)


# what is skipped, what is chosen


def test_skipped_names_are_reported_once(
    volume: AtomicWriter, at_boot: Boot, logged: pytest.LogCaptureFixture
) -> None:
    """Each name that is not mirrored is reported once, with its reason, in log and status."""
    at_boot("SHADOWED", "process's")
    before = dict(os.environ)
    skipped: dict[str, tuple[str | bytes, str]] = {
        "not-c": ("1", "not a C identifier"),
        "1ST": ("1", "not a C identifier"),
        "NUL": ("a\0b", "contains NUL"),
        "UNDECODABLE": (b"\xff\xfe", "not UTF-8 text"),
        "BIG": ("x" * (128 * 1024 - 4), "128 KiB or more with its name"),
        "KUBERNETES_PORT": ("1", "protected"),
        "DYNACONF_INCLUDE": ("x.py", "reserved for dynaconf"),
        "MYAPP_ROOT_PATH_FOR_DYNACONF": ("/", "reserved for dynaconf"),
        "K8S_MOUNTS": ("/etc", "reserved for dynaconf"),
        "SHADOWED": ("mount's", "shadowed by k8s_env_wins"),
    }
    volume.write({name: content for name, (content, _) in skipped.items()})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_env_wins=["SHADOWED"])
    assert settings.UNDECODABLE == b"\xff\xfe"
    assert settings["not-c"] == 1
    for step in range(2):
        volume.set("FITS", "x" * (128 * 1024 - 6 - step))
        reload(settings)
        status = get_reloader(settings).status()
        assert status.skipped.keys() == skipped.keys()
        for name, (_, reason) in skipped.items():
            assert status.skipped[name].startswith(reason)
    told = messages(logged, " mirrored: ")
    assert len(told) == len({reason for _, reason in skipped.values()})
    assert all(sum(name in line for line in told) == 1 for name in skipped)
    assert {k: v for k, v in os.environ.items() if k != "FITS"} == before
    assert not any("x.py" in text or "process's" in text for text in logged.messages)


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "PATH", "PYTHONPATH", "DYLD_LIBRARY_PATH", "HOME", "USER", "SHELL", "HOSTNAME"],
)
def test_protected_names(volume: AtomicWriter, logged: pytest.LogCaptureFixture, name: str) -> None:
    """A ConfigMap changes none of the variables that could break the process, and says so."""
    before = os.environ.get(name)
    volume.write({name: "/nonexistent/for-this-test", "KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == 1
    assert os.environ.get(name) == before
    assert get_reloader(settings).status().skipped == {name: "protected"}
    assert len(messages(logged, f"{name} is not mirrored: protected")) == 1
    run = subprocess.run(
        [sys.executable, "-c", "print('started')"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "started\n", "")
    volume.delete(name)
    reload(settings)
    assert os.environ.get(name) == before


def test_an_empty_list_protects_nothing(volume: AtomicWriter) -> None:
    """An application that empties `k8s_protected` gets every name mirrored."""
    volume.write({"DYLD_OF_THIS_TEST": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_protected=[])
    assert settings.DYLD_OF_THIS_TEST == 1
    assert os.environ["DYLD_OF_THIS_TEST"] == "1"
    assert get_reloader(settings).status().skipped == {}


def test_a_reserved_name_leaves_the_process_s_alone(
    volume: AtomicWriter, at_boot: Boot, tmp_path: Path
) -> None:
    """A reserved name in a mount is as if it were not there: the process's own value counts."""
    included = tmp_path / "included.toml"
    included.write_text("FROM_INCLUDE = 1\n")
    at_boot("MYAPP_DYNACONF_INCLUDE", f'["{included}"]')
    volume.write({"MYAPP_DYNACONF_INCLUDE": '["/etc/other.toml"]', "DYNACONF_INCLUDE": "x"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_env_wins=["*"])
    assert settings.FROM_INCLUDE == 1
    assert "INCLUDE" not in settings
    assert os.environ["MYAPP_DYNACONF_INCLUDE"] == f'["{included}"]'


def test_the_process_s_value_is_parsed_as_ever(volume: AtomicWriter, at_boot: Boot) -> None:
    """A secret mount's text is literal; a variable that wins over it is parsed like any other."""
    at_boot("MYAPP_WINS", "42")
    volume.write({"MYAPP_WINS": "43", "MYAPP_LITERAL": "43"})
    settings = make_settings(
        mount_of(volume, secret=True), k8s_watch=False, k8s_env_wins=["MYAPP_WINS"]
    )
    assert (settings.WINS, settings.LITERAL) == (42, "43")


def test_prefix_include_and_exclude(volume: AtomicWriter) -> None:
    """Patterns choose keys, the prefix makes their names; both count for settings and variables."""
    volume.write({"KEEP_A": "1", "KEEP_B": "2", "LEAVE": "3", "EMPTY": ""})
    mount = Mount(
        str(volume.directory), prefix="MYAPP_", include=("KEEP_*", "EMPTY"), exclude=("*_B",)
    )
    settings = make_settings(mount, k8s_watch=False)
    assert settings.KEEP_A == 1
    assert settings.EMPTY == ""
    assert settings.get("KEEP_B") is settings.get("LEAVE") is None
    ours = {name: text for name, text in os.environ.items() if name.startswith("MYAPP_")}
    assert ours == {"MYAPP_KEEP_A": "1", "MYAPP_EMPTY": ""}


def test_only_prefixed_names_become_settings(volume: AtomicWriter) -> None:
    """With `k8s_prefixed_only` other names are mirrored only."""
    volume.write({"MYAPP_A": "1", "B": "2"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_prefixed_only=True)
    assert (settings.A, settings.get("B")) == (1, None)
    assert (os.environ["MYAPP_A"], os.environ["B"]) == ("1", "2")


def test_a_value_that_can_no_longer_be_mirrored(volume: AtomicWriter) -> None:
    """A variable whose new value cannot be mirrored goes: no start would bring it."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == 1
    volume.write({"KEY": b"\xff"})
    reload(settings)
    assert settings.KEY == b"\xff"
    assert "KEY" not in os.environ
    volume.write({"KEY": "2"})
    reload(settings)
    assert os.environ["KEY"] == "2"


def test_only_changed_names_are_written(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload writes the names that changed, in place first, and no other."""
    volume.write({"SAME": "1", "CHANGED": "1", "GONE": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.SAME == 1
    volume.write({"SAME": "1", "CHANGED": "2", "AN_ADDITION": "1"})
    put, unset = os.putenv, os.unsetenv
    calls: list[bytes] = []

    def recording_put(name: bytes, value: bytes) -> None:
        calls.append(name)
        put(name, value)

    def recording_unset(name: bytes) -> None:
        calls.append(name)
        unset(name)

    monkeypatch.setattr(os, "putenv", recording_put)
    monkeypatch.setattr(os, "unsetenv", recording_unset)
    reload(settings)
    assert calls[0] == b"CHANGED"
    assert sorted(calls) == [b"AN_ADDITION", b"CHANGED", b"GONE"]


# processes


def test_a_child_process_sees_the_new_variables(volume: AtomicWriter) -> None:
    """A process started after a reload has what changed; 200 KiB in the mount do not stop it."""
    volume.write({"CHANGED": "1", "GONE": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.CHANGED == 1
    volume.write({"CHANGED": "2", "ADDED": "with\nlines\n", "BIG": "x" * 200 * 1024})
    reload(settings)
    program = "import os; print([os.environ.get(n) for n in ('CHANGED', 'GONE', 'ADDED', 'BIG')])"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.stdout == f"{['2', None, chr(10).join(['with', 'lines', '']), None]}\n"
    assert len(settings.BIG) == 200 * 1024


def test_ownership_across_a_fork(volume: AtomicWriter, at_boot: Boot) -> None:
    """A forked child knows what the process had before, and gives it back to itself."""
    at_boot("MYAPP_KEY", ELSEWHERE)
    volume.write({"MYAPP_KEY": FIRST})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == FIRST
    volume.write({})

    def child() -> None:
        reload(settings)
        assert (settings.KEY, os.environ["MYAPP_KEY"]) == (ELSEWHERE, ELSEWHERE)

    assert os.waitstatus_to_exitcode(os.waitpid(forked(child), 0)[1]) == 0
    assert os.environ["MYAPP_KEY"] == FIRST
    reload(settings)
    assert os.environ["MYAPP_KEY"] == ELSEWHERE


@pytest.mark.heavy
def test_child_processes_during_two_thousand_swaps(volume: AtomicWriter) -> None:
    """Starting processes with a copied environment never fails while names come and go."""
    volume.write({"STEP": "0"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.STEP == 0
    stop = threading.Event()
    started, copies = 0, 0
    failures: list[Exception] = []

    def start_processes() -> None:
        nonlocal started, copies
        while not stop.is_set():
            try:
                copied = dict(os.environ)
            except KeyError:  # CPython's own, when a name goes while it copies
                copies += 1
                continue
            try:
                subprocess.run(["/bin/true"], env=copied, check=True)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                failures.append(error)
            started += 1

    thread = threading.Thread(target=start_processes)
    thread.start()
    try:
        for step in range(1, 2001):
            names = {f"COMES_AND_GOES_{step % 7}_{n}": str(step) for n in range(step % 20)}
            volume.write({"STEP": str(step), **names})
            reload(settings)
            ours = {n: t for n, t in os.environ.items() if n.startswith("COMES_AND_GOES_")}
            assert ours == names
    finally:
        stop.set()
        thread.join()
    print(f"{started} processes started during 2,000 swaps, {copies} copies raised KeyError")
    assert failures == []
    assert started > 100


# anything at all

NAMES = [f"MYAPP_N{n}" for n in range(3)] + [f"N{n}" for n in range(3)]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
PAYLOADS = st.dictionaries(st.sampled_from(NAMES), TEXT, max_size=6)


@hypothesis_settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    boot=PAYLOADS,
    updates=st.lists(st.tuples(PAYLOADS, PAYLOADS), min_size=1, max_size=4),
    wins=st.lists(st.sampled_from(["MYAPP_*", "N1", "*2"]), max_size=2),
    fields=st.fixed_dictionaries(
        {
            "mirror": st.sampled_from([None, True, False]),
            "secret": st.booleans(),
            "env_from": st.sampled_from([None, True, False]),
        }
    ),
)
def test_other_variables_are_never_touched(
    *,
    volume: AtomicWriter,
    other: AtomicWriter,
    boot: dict[str, str],
    updates: list[tuple[dict[str, str], dict[str, str]]],
    wins: list[str],
    fields: dict[str, Any],
) -> None:
    """Variables that no mount names stay byte for byte the same; in the end all are as before."""
    outside = {name: text for name, text in os.environb.items() if name.decode() not in NAMES}
    try:
        os.environ.update(boot)
        with own_process():  # another example knew the same names
            settings: Any = None
            for step, (below, above) in enumerate(updates):
                volume.write(below)
                other.write({**above, "N_STEP": str(step)})
                if settings is None:
                    settings = make_settings(
                        mount_of(volume, **fields),
                        mount_of(other, exclude=["N_STEP"]),
                        k8s_watch=False,
                        k8s_env_wins=wins,
                    )
                get_reloader(settings).reload()
                now = {
                    name: text for name, text in os.environb.items() if name.decode() not in NAMES
                }
                assert now == outside
            get_reloader(settings).stop(restore=True)
            assert {n: os.environ[n] for n in NAMES if n in os.environ} == boot
    finally:
        for name in NAMES:
            os.environ.pop(name, None)


def test_two_objects_on_one_mount_follow_together(volume: AtomicWriter) -> None:
    """The first one to reload does not hold on to what the second has not given up yet."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1", "MYAPP_T": "@format {env[MYAPP_B]}"})
    first = make_settings(volume.directory, k8s_watch=False)
    second = make_settings(volume.directory, k8s_watch=False)
    for each in (first, second):
        assert each.A == 1
    volume.write({"MYAPP_B": "2", "MYAPP_T": "@format {env[MYAPP_B]}"})
    get_reloader(first).reload()
    assert (first.get("A"), first.B, first.T) == (None, 2, "2")
    assert ("MYAPP_A" in os.environ, os.environ["MYAPP_B"]) == (False, "2")
    get_reloader(second).reload()
    assert (second.get("A"), second.B, second.T) == (None, 2, "2")
    assert ("MYAPP_A" in os.environ, os.environ["MYAPP_B"]) == (False, "2")


def test_an_older_reading_does_not_take_the_place_of_a_newer_one(volume: AtomicWriter) -> None:
    """A claim counts as out of date only where it comes from before what has been read."""
    files = [{"A": "1"}, {"A": "2"}]
    readings = []
    for content in files:
        volume.write(content)
        readings.append(Payload([read(Mount(str(volume.directory)))]))
    older, newer = readings
    process: dict[str, str] = {}
    mirror, terms = Mirror(process), (Options(), Names())
    for owner, payload in ((1, newer), (2, newer)):
        mirror.apply(mirror.plan({owner: Proposal(payload, terms)})[1])
    mirror.apply(mirror.plan({1: Proposal(older, terms)})[1])
    assert process == {"A": "2"}


def test_what_was_restored_is_forgotten(
    volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `stop(restore=True)` another object finds the process as if nothing had been there."""
    monkeypatch.setenv("MYAPP_A", "x")
    volume.write({"MYAPP_A": "x"})
    settings = make_settings(volume.directory, k8s_watch=False)
    get_reloader(settings).stop(restore=True)
    other = AtomicWriter(tmp_path / "other")
    other.write({"MYAPP_A": "other"})
    following = make_settings(other.directory, k8s_watch=False)
    assert following.A == "other"
    other.write({})
    get_reloader(following).reload()
    assert (following.A, os.environ["MYAPP_A"]) == ("x", "x")


def test_a_dict_in_the_place_of_os_environ(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first load and a reload say what to do instead, and with Python's own all is well again."""
    volume.write({"MYAPP_KEY": "1"})
    told = r"os.environ has been replaced by a dict; change it in place, as mock\.patch\.dict"
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", dict(os.environ))
        with pytest.raises(ConfigError, match=told):
            _ = make_settings(volume.directory, k8s_watch=False).KEY
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == 1
    volume.write({"MYAPP_KEY": "2"})
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", dict(os.environ))
        assert re.search(told, str(get_reloader(settings).reload().error))
    assert get_reloader(settings).reload().error is None
    assert (settings.KEY, os.environ["MYAPP_KEY"]) == (2, "2")
