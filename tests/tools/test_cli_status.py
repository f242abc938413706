"""The command `status`: ask running processes, by the standard library alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from applications import Application
from dynaconf_k8s_reload import cli as package
from dynaconf_k8s_reload._model import published
from dynaconf_k8s_reload.cli import asking, cli
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

command = pytest.importorskip("command", reason="the command line is an extra")
click_testing = pytest.importorskip("click.testing", reason="the command line is an extra")

WITHOUT_EXTRA = """
import sys
for name in ("click", "rich", "yaml", "dynaconf", "watchdog"):
    sys.modules[name] = None
sys.argv = ["dynaconf-k8s-reload", "status", *sys.argv[1:]]
from dynaconf_k8s_reload.__main__ import main
main()
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where nothing but the standard library is installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def application(volume: AtomicWriter) -> Iterator[Application]:
    volume.write({"MYAPP_A": "1"})
    with Application(volume.directory, k8s_restart_keys=["B"]) as started:
        started.eventually("reloader.status().watching", "events")
        yield started


def test_a_process_is_asked_from_outside(application: Application, volume: AtomicWriter) -> None:
    """A line for people, a list for programs, nothing but the exit code for a probe."""
    pid = str(application.process.pid)
    application.eventually("reloader.status().watching", "events")
    eventually(lambda: "watching: events" in run(pid).stdout)
    shown = run(pid)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"{pid}: healthy, generation 1 (")
    assert shown.stdout.endswith(f" of {volume.directory}, watching: events\n")
    (status,) = json.loads(run(pid, "--json").stdout)
    assert (status["pid"], status["healthy"]) == (int(pid), True)
    assert pid in run().stdout
    probe = run("--probe", pid)
    assert (probe.returncode, probe.stdout, probe.stderr) == (0, "", "")


def test_what_a_person_should_look_at_is_shown(
    application: Application, volume: AtomicWriter
) -> None:
    """A refused update and keys that want a restart, each on a line of its own."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "2"})
    application.eventually("settings.get('B')", 2)
    volume.write({"MYAPP_A": "@int none", "MYAPP_B": "2"})
    application.eventually("reloader.status().rejected", 1)
    application("reloader.reload().outcome")
    _, refused, restart = run(str(application.process.pid)).stdout.splitlines()
    assert refused.startswith(f"  MYAPP_A of {volume.directory} rejected")
    assert restart == "  a restart is required for B"


def test_processes_that_cannot_be_asked() -> None:
    """A number that is no process's, or one without a status: the reason, and 2; for a probe 1."""
    nobody = str(2**22 + 1)
    assert run(nobody).returncode == 2
    assert run(nobody).stderr.startswith(f"there is no process {nobody};")
    assert run("--probe", nobody).returncode == 1
    shown = run(str(os.getpid()))
    assert shown.returncode == 2
    assert "has no status; it is kept from the first load" in shown.stderr
    assert "by dynaconf_k8s_reload.loader" in shown.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no status"),
        (b'{"pid": 1, "objects": [', "has no status"),
        (b"[" * 100_000, "publishes what is not a status (RecursionError)"),
        (b"[1]", "publishes what is not a status (TypeError)"),
        (b"{}", "publishes what is not a status (KeyError)"),
        (b'{"pid": %d, "objects": [1]}', "publishes what is not a status (TypeError)"),
        (
            b'{"pid": %d, "objects": [{"status": {}, "looked": null, "limit": 1, "busy": null}]}',
            "publishes what is not a status (KeyError)",
        ),
    ],
)
def test_what_is_not_a_status(content: bytes, said: str) -> None:
    """Whatever a process publishes under that name, it is told, and a probe fails."""
    descriptor = os.memfd_create(published.NAME)
    try:
        os.write(descriptor, content.replace(b"%d", str(os.getpid()).encode()))
        done = run(str(os.getpid()))
        assert run("--probe", str(os.getpid())).returncode == 1
    finally:
        os.close(descriptor)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"process {os.getpid()} {said}" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_too_large_for_a_status_is_not_read() -> None:
    """A process may publish more than there is memory for."""
    descriptor = os.memfd_create(published.NAME)
    try:
        os.truncate(descriptor, published.LARGEST + 1)
        assert published.statuses(os.getpid()) == []
    finally:
        os.close(descriptor)


def test_a_process_of_another_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may not be looked into, which is said in words."""

    def refuse(_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(asking, "statuses", refuse)
    assert asking.main(["1"]) == 2
    assert capsys.readouterr().err == "process 1 may not be looked into: it is another user's\n"


def test_a_process_that_ends_while_all_are_asked_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker that is replaced, or a short child, does not fail the probe of those that live."""

    def statuses(pid: int) -> list[object]:
        if pid != os.getpid():
            os.listdir(f"/proc/{2**31 - 1}/fd")
        return [STATUSES[7]]

    monkeypatch.setattr(asking, "processes", lambda: [1, os.getpid()])
    monkeypatch.setattr(asking, "statuses", statuses)
    assert asking.ask([], probe=True) == 0
    assert capsys.readouterr() == ("", "")
    assert asking.ask([1, os.getpid()], probe=True) == 1
    assert capsys.readouterr().err.startswith("there is no process 1; give one of this container")


def test_where_no_process_has_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and that it could not run; a probe fails."""
    monkeypatch.setattr(asking, "processes", list)
    assert asking.main([]) == 2
    assert "no process has a status" in capsys.readouterr().err
    assert asking.main(["--probe"]) == 1
    out, err = capsys.readouterr()
    assert (out, "no process has a status" in err) == ("", True)


def test_a_probe_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of those that are not healthy, for the event in which Kubernetes tells of it."""
    monkeypatch.setattr(asking, "statuses", lambda pid: [STATUSES[pid]])
    assert asking.ask([7, 4711], probe=True) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("4711 (1 in its container): NOT HEALTHY")
    assert "the watch has ended" in err


STATUSES = {
    7: {
        "pid": 7,
        "healthy": True,
        "generation": 3,
        "revision": "3d0c6b1f84e27a95",
        "mounts": [
            {"path": "/config", "revision": "9a3f1c5e7b2d8046"},
            {"path": "/secret", "revision": "c05e7d21b8f6943a"},
        ],
        "watching": "events",
        "problems": [],
        "last_error": None,
        "restart_required": [],
    },
    4711: {
        "pid": 1,
        "healthy": False,
        "generation": 2,
        "revision": "51be70aa9c34d2f8",
        "mounts": [],
        "watching": "off",
        "problems": [
            "the watch has ended; start() revives it",
            "serving the last good content, since the content of /config is refused; correct it",
        ],
        "last_error": "MYAPP_POOL of /config rejected: a validator refuses POOL (gte); the last "
        "good generation keeps serving until the content is corrected",
        "restart_required": ["A", "B"],
    },
}


class Terminal(io.StringIO):
    """Stands for a terminal."""

    def isatty(self) -> bool:
        return True


def test_screens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is healthy, and one that is not, seen from outside of its container."""
    monkeypatch.setattr(asking, "processes", lambda: list(STATUSES))
    monkeypatch.setattr(asking, "statuses", lambda pid: [STATUSES[pid]])
    assert asking.main([]) == 1
    command.approved("status-piped", capsys.readouterr().out)
    assert asking.main(["--json"]) == 1
    command.approved("status-json", capsys.readouterr().out)
    for columns in command.WIDTHS:
        monkeypatch.setenv("COLUMNS", str(columns))
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        assert asking.main([]) == 1
        command.approved(f"status-{columns}", terminal.getvalue(), columns)


def test_it_is_one_of_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra it stands among the others, with the same words."""
    monkeypatch.setattr(asking, "processes", list)
    runner = click_testing.CliRunner()
    assert "status" in runner.invoke(cli, ["--help"]).output
    assert runner.invoke(cli, ["status", "--probe"]).exit_code == 1
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing
