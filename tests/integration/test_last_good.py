"""A process that starts while the mount holds bad content comes up on the last good one."""

from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from dynaconf import ValidationError, Validator

from applications import Application
from dynaconf_k8s_reload import ConfigError, MountError, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the last good content is kept."""
    return tmp_path / "kept"


def start(volume: AtomicWriter, kept: Path, **options: Any) -> Any:
    """Be a process that starts: settings whose POOL must be below ten."""
    options.setdefault("k8s_watch", False)
    options.setdefault("validators", [Validator("POOL", lt=10)])
    settings = make_settings(volume.directory, k8s_last_good=str(kept), **options)
    bool(settings)
    return settings


GOOD = {"MYAPP_POOL": "3", "MYAPP_NAME": "good", "MYAPP_OLD": "x"}
BAD = {
    "a validator": {"MYAPP_POOL": "11", "MYAPP_NAME": "bad"},
    "a parser": {"MYAPP_A": "1", "MYAPP_POOL": "@int many", "MYAPP_NAME": "bad"},
}


@pytest.mark.parametrize("why", BAD)
def test_a_refused_first_load_falls_back(
    volume: AtomicWriter, kept: Path, logged: pytest.LogCaptureFixture, why: str
) -> None:
    """Settings and variables are those accepted last; log, problems and last error say so."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    volume.write(BAD[why])
    settings = start(volume, kept)
    assert (settings.POOL, settings.NAME, settings.OLD) == (3, "good", "x")
    assert (settings.get("A"), os.environ["MYAPP_NAME"]) == (None, "good")
    status = get_reloader(settings).status()
    assert (status.generation, status.rejected, status.healthy) == (1, 1, True)
    assert status.last_error is not None
    assert "POOL" in status.last_error
    (problem,) = status.problems
    assert problem.startswith("serving the last good content, of 2")
    assert str(volume.directory) in problem
    warnings = [record.getMessage() for record in logged.records if record.levelname == "WARNING"]
    assert f"{problem} [MYAPP]" in warnings
    said = status.last_error + problem.split("since")[1]
    assert "11" not in said.replace(str(volume.directory), "")
    assert get_reloader(settings).reload().outcome == "rejected"
    assert settings.NAME == "good"


def test_a_validator_that_raises_refuses_as_well(volume: AtomicWriter, kept: Path) -> None:
    """What it raises is the application's own: its type and place are told, not its words."""

    def condition(name: str) -> bool:
        if name == "bad":
            raise RuntimeError("hunter2")
        return True

    validators = [Validator("NAME", condition=condition)]
    volume.write(GOOD)
    get_reloader(start(volume, kept, validators=validators)).stop(restore=True)
    volume.write({"MYAPP_POOL": "1", "MYAPP_NAME": "bad"})
    settings = start(volume, kept, validators=validators)
    assert settings.NAME == "good"
    last_error = get_reloader(settings).status().last_error
    assert last_error is not None
    assert "hunter2" not in last_error


class Odd(Validator):  # type: ignore[misc] # reason: dynaconf ships no types
    """A validator that does without dynaconf's own checks."""

    def validate(self, settings: Any, *_: Any, **__: Any) -> None:
        if settings.get("NAME") == "bad":
            raise RuntimeError("hunter2")


def test_an_error_of_nobody_s_refuses_as_well(volume: AtomicWriter, kept: Path) -> None:
    """Where no validator is at fault, the place is told, and which keys changed."""
    volume.write(GOOD)
    get_reloader(start(volume, kept, validators=[Odd("NAME")])).stop(restore=True)
    volume.write({"MYAPP_POOL": "1", "MYAPP_NAME": "bad"})
    settings = start(volume, kept, validators=[Odd("NAME")])
    assert settings.NAME == "good"
    last_error = get_reloader(settings).status().last_error
    assert last_error is not None
    assert "in validate" in last_error
    assert "MYAPP_OLD" in last_error
    assert "hunter2" not in last_error


def test_the_next_good_content_ends_it(volume: AtomicWriter, kept: Path) -> None:
    """The watch does not try the bad one again, and applies what comes after it."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    volume.write(BAD["a validator"])
    settings = start(volume, kept, k8s_watch=True)
    reloader = get_reloader(settings)
    eventually(lambda: reloader.status().checked_at)
    assert (reloader.status().rejected, settings.POOL) == (1, 3)
    volume.write({"MYAPP_POOL": "4"})
    eventually(lambda: settings.POOL == 4)
    status = reloader.status()
    assert (status.generation, status.last_error, status.problems) == (2, None, ())
    assert (settings.get("OLD"), os.environ.get("MYAPP_NAME")) == (None, None)


def test_the_same_good_content_ends_it_as_well(volume: AtomicWriter, kept: Path) -> None:
    """Going back to what is served changes nothing else."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    volume.write(BAD["a validator"])
    settings = start(volume, kept)
    volume.write(GOOD)
    assert get_reloader(settings).reload().outcome == "unchanged"
    status = get_reloader(settings).status()
    assert (status.last_error, status.problems, settings.POOL) == (None, (), 3)


def test_what_a_reload_applies_is_kept(volume: AtomicWriter, kept: Path) -> None:
    """Not what it refuses."""
    volume.write(GOOD)
    settings = start(volume, kept)
    for pool in ("5", "12"):
        volume.write({"MYAPP_POOL": pool})
        get_reloader(settings).reload()
    get_reloader(settings).stop(restore=True)
    assert start(volume, kept).POOL == 5


def test_what_a_hook_makes_neither_keeps_nor_falls_back(volume: AtomicWriter, kept: Path) -> None:
    """Its object is a part of a candidate: what may still be refused has not been accepted."""

    def hook(_: Any) -> dict[str, Any]:
        return {"OWN": start(volume, kept, validators=[Validator("NAME", ne="bad")]).POOL}

    volume.write(GOOD)
    settings = start(volume, kept, post_hooks=[hook])
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    for refused in ({"MYAPP_POOL": "12"}, {"MYAPP_POOL": "5", "MYAPP_NAME": "bad"}):
        volume.write(refused)
        assert get_reloader(settings).reload().outcome == "rejected"
        assert (settings.POOL, settings.OWN) == (3, 3)
        assert {file.name: file.read_bytes() for file in kept.iterdir()} == before


def test_without_one_the_first_load_fails(
    volume: AtomicWriter, kept: Path, logged: pytest.LogCaptureFixture
) -> None:
    """As ever, and the log says why nothing could be done; the environment is untouched."""
    volume.write(BAD["a validator"])
    with pytest.raises(ValidationError):
        start(volume, kept)
    assert f"the last good content in {kept} cannot be used: none was kept [MYAPP]" in logged.text
    assert "MYAPP_NAME" not in os.environ


def test_all_is_well_without_it(
    volume: AtomicWriter, kept: Path, logged: pytest.LogCaptureFixture
) -> None:
    """A good content is used, not what was kept; nothing is said."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    volume.write({"MYAPP_POOL": "4"})
    assert start(volume, kept).POOL == 4
    assert "last good" not in logged.text


def test_one_that_is_refused_as_well_helps_nobody(
    volume: AtomicWriter, kept: Path, logged: pytest.LogCaptureFixture
) -> None:
    """A new release may refuse it: then the first error is raised; the log names both culprits."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    volume.write(BAD["a validator"])
    with pytest.raises(ValidationError, match="POOL"):
        start(volume, kept, validators=[Validator("POOL", lt=2)])
    (line,) = [each for each in logged.messages if "is refused, too: " in each]
    assert "is refused, too: POOL (MYAPP_POOL) of" in line
    assert line.endswith(" [MYAPP]")


def test_what_refused_an_earlier_object_is_over(volume: AtomicWriter, kept: Path) -> None:
    """Settings that `configure()` makes anew from good content do not say they serve the last."""
    limits = [10]
    volume.write(GOOD)
    settings = start(
        volume, kept, validators=[Validator("POOL", condition=lambda pool: pool < limits[-1])]
    )
    volume.write(BAD["a validator"])
    limits.append(0)  # refuses the last good content as well
    with pytest.raises(ValidationError):
        settings.configure()
    limits.pop()
    volume.write({**GOOD, "MYAPP_POOL": "5"})
    settings.configure()
    assert settings.POOL == 5
    status = get_reloader(settings).status()
    assert (status.problems, status.last_error) == ((), None)


def test_it_hides_no_absent_mount(volume: AtomicWriter, kept: Path, tmp_path: Path) -> None:
    """A required directory that is not there is an error, whatever was kept."""
    mount = {"path": str(tmp_path / "config"), "required": True}
    volume.write(GOOD)
    bool(make_settings(mount, k8s_last_good=str(kept), k8s_watch=False))
    os.rename(tmp_path / "config", tmp_path / "gone")
    with pytest.raises(MountError, match="required"):
        bool(make_settings(mount, k8s_last_good=str(kept), k8s_watch=False))


@pytest.mark.parametrize("error", [ConfigError("wrong"), MountError("unreadable", mount="/config")])
def test_it_hides_nothing_that_no_content_would_mend(
    volume: AtomicWriter, kept: Path, error: Exception
) -> None:
    """Wrong options and a mount that cannot be read end a first load, wherever they are met."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    volume.write({"MYAPP_POOL": "4"})

    def fail(pool: int) -> bool:
        if pool == 4:
            raise error
        return True

    with pytest.raises(type(error)):
        start(volume, kept, validators=[Validator("POOL", condition=fail)])


def test_what_cannot_be_kept_is_a_problem(
    volume: AtomicWriter, kept: Path, logged: pytest.LogCaptureFixture
) -> None:
    """A directory that cannot be written stops nothing; it is told once, until it can be."""
    kept.write_text("in the way")
    volume.write(GOOD)
    settings = start(volume, kept)
    volume.write({"MYAPP_POOL": "4"})
    assert get_reloader(settings).reload().outcome == "applied"
    (problem,) = get_reloader(settings).status().problems
    assert problem.startswith(f"the last good content cannot be kept in {kept} (EEXIST)")
    assert [r.levelno for r in logged.records if problem in r.getMessage()] == [logging.WARNING]
    kept.unlink()
    volume.write({"MYAPP_POOL": "5"})
    get_reloader(settings).reload()
    assert get_reloader(settings).status().problems == ()


def test_a_process_that_is_killed_comes_up_again(volume: AtomicWriter, kept: Path) -> None:
    """Killed while bad content is there, another one starts on what the first had accepted."""
    volume.write({"MYAPP_KEY": "1"})
    with Application(volume.directory, k8s_last_good=str(kept)) as first:
        first.eventually("settings.KEY", 1)
        volume.write({"MYAPP_KEY": "2"})
        first.eventually("settings.KEY", 2)
        volume.write({"MYAPP_KEY": "@json {"})
        first.eventually("reloader.status().rejected", 1)
        first.process.send_signal(signal.SIGKILL)
        first.process.communicate(timeout=30)
    with Application(volume.directory, k8s_last_good=str(kept)) as second:
        assert second("settings.KEY") == 2
        assert json.dumps(second("reloader.status().problems")).count("last good") == 1
        volume.write({"MYAPP_KEY": "3"})
        second.eventually("settings.KEY", 3)


def test_a_full_disk_keeps_what_was_there(volume: AtomicWriter, kept: Path) -> None:
    """What does not fit stops nothing, is a problem, and leaves the content before in its place."""
    kept.mkdir()
    directory = repr(str(kept))
    files = f"{{name: open({directory} + '/' + name).read() for name in os.listdir({directory})}}"
    volume.write({"MYAPP_KEY": "1"})
    first = f"namespaces.enter(); namespaces.mount_tmpfs({directory}, '64k')"
    with Application(volume.directory, first=first, k8s_last_good=str(kept)) as application:
        application.eventually("settings.KEY", 1)
        before = application(files)
        assert len(before) == 1
        volume.write({"MYAPP_KEY": "2", "MYAPP_LONG": "x" * 100_000})
        application.eventually("settings.KEY", 2)
        application.eventually("'ENOSPC' in str(reloader.status().problems)")
        assert application(files) == before
        volume.write({"MYAPP_KEY": "3"})
        application.eventually("settings.KEY", 3)
        application.eventually("len(reloader.status().problems)", 0)
        assert application(files) != before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_what_another_user_has_kept_is_not_used(
    volume: AtomicWriter, kept: Path, logged: pytest.LogCaptureFixture
) -> None:
    """It may be planted; and a user who may not write there is told."""
    volume.write(GOOD)
    get_reloader(start(volume, kept)).stop(restore=True)
    (file,) = kept.iterdir()
    os.chown(file, 65534, 65534)
    volume.write(BAD["a validator"])
    with pytest.raises(ValidationError, match="POOL"):
        start(volume, kept)
    assert "does not belong to this process's user alone" in logged.text
    volume.write({"MYAPP_KEY": "1"})
    os.chown(kept, 65534, 65534)
    first = "namespaces.drop_privileges()"
    with Application(volume.directory, first=first, k8s_last_good=str(kept)) as application:
        assert application("settings.KEY") == 1
        assert "EACCES" in application("str(reloader.status().problems)")
