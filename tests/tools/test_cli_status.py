"""The command `status`: ask running processes, by the standard library alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from applications import Application
from dynaconf_k8s_reload import cli as package
from dynaconf_k8s_reload.cli import asking, cli
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

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
    """A line for people, a list for programs, nothing but the exit status for a probe."""
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


def test_processes_that_cannot_be_asked(tmp_path: Path) -> None:
    """A number that is no process's, or one without a status: the reason, and 2; for a probe 1."""
    nobody = str(2**22 + 1)
    assert run(nobody).returncode == 2
    assert f"process {nobody} cannot be asked (FileNotFoundError)" in run(nobody).stderr
    assert run("--probe", nobody).returncode == 1
    shown = run(str(os.getpid()))
    assert shown.returncode == 2
    assert "has no status; it is kept from the first load" in shown.stderr


def test_where_no_process_has_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and that it could not run; a probe fails."""
    monkeypatch.setattr(asking, "processes", list)
    assert asking.main([]) == 2
    assert "no process has a status" in capsys.readouterr().err
    assert asking.main(["--probe"]) == 1
    assert capsys.readouterr() == ("", "")


def test_one_that_is_not_healthy_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1, and the line says so in capitals, with all that is wrong."""
    status = {
        "pid": 7,
        "healthy": False,
        "generation": 2,
        "revision": "abc",
        "mounts": [],
        "watching": "off",
        "problems": ["the watch has ended; start() revives it"],
        "last_error": "update rejected",
        "restart_required": ["A", "B"],
    }
    monkeypatch.setattr(asking, "processes", lambda: [7])
    monkeypatch.setattr(asking, "statuses", lambda _: [status])
    assert asking.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "7: NOT HEALTHY, generation 2 (abc) of no mount, watching: off",
        "  the watch has ended; start() revives it",
        "  update rejected",
        "  a restart is required for A, B",
    ]


def test_it_is_one_of_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra it stands among the others, with the same words."""
    monkeypatch.setattr(asking, "processes", list)
    runner = click_testing.CliRunner()
    assert "status" in runner.invoke(cli, ["--help"]).output
    assert runner.invoke(cli, ["status", "--probe"]).exit_code == 1
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing
