"""The command wherever it may find itself: closed streams, full disks, narrow terminals, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command import ENVIRON, MODULE, STYLE, on_terminal, run_process
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

MANIFEST = "kind: ConfigMap\nmetadata: {name: app}\ndata: {A: s3cret}\n"
SETTINGS = ("--settings", "no_such:settings")
SLOW = """
import signal, time
from dynaconf import Dynaconf
open("begun", "w").close()
time.sleep(60)
settings = Dynaconf(loaders=["dynaconf_k8s_reload.loader"])
"""


def redirected(
    redirection: str, *arguments: object, directory: Path | None = None, first: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it with its streams redirected, as a shell does it."""
    return subprocess.run(
        ["sh", "-c", f'{first}"$@" {redirection}', "sh", *MODULE, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRON, "PYTHONUNBUFFERED": ""},
        cwd=directory,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", [["show"], ["status"]])
def test_an_output_that_takes_no_more(volume: AtomicWriter, command: list[str]) -> None:
    """On a full disk it says so and could not run; without a reader, or an output, it is silent."""
    volume.write({"A": "1"})
    arguments = [*command, *([volume.directory] if command == ["show"] else [os.getpid()])]
    full = redirected(">/dev/full", *arguments)
    assert "Traceback" not in full.stderr
    assert (full.returncode, redirected("2>&1 | true", *arguments).stderr) == (2, "")
    if command == ["show"]:
        assert full.stderr == "the output cannot be written: No space left on device\n"
        closed = redirected("<&- >&-", *arguments)
        assert (closed.returncode, closed.stderr) == (0, "")


def test_a_check_without_streams(tmp_path: Path) -> None:
    """The process in which ``check`` loads the application has streams where it has none."""
    (tmp_path / "app.yaml").write_text(MANIFEST)
    (tmp_path / "fast.py").write_text(
        "from dynaconf import Dynaconf\n"
        'settings = Dynaconf(loaders=["dynaconf_k8s_reload.loader"])\n'
    )
    check = ("check", "--settings", "fast:settings", "-f", "app.yaml")
    assert redirected("<&- >&- 2>&-", *check, directory=tmp_path).returncode == 0
    (tmp_path / "app.yaml").write_text(MANIFEST.replace("s3cret", '"@int s3cret"'))
    assert redirected("<&- >&- 2>&-", *check, directory=tmp_path).returncode == 1


def test_a_working_directory_that_is_gone(tmp_path: Path, volume: AtomicWriter) -> None:
    """What needs none works, and what does says so."""
    volume.write({"A": "1"})
    told = {}
    for command in (("doctor", volume.directory), ("show", "config"), ("doctor", *SETTINGS)):
        (tmp_path / "gone").mkdir()
        leave = f'cd "{tmp_path}/gone" && rmdir "{tmp_path}/gone" && '
        told[command] = redirected("", *command, first=leave)
    fine, needing, without_module = told.values()
    assert (fine.returncode, fine.stderr) == (0, "")
    gone = "the working directory is gone; change to one that exists\n"
    assert (needing.returncode, needing.stderr) == (2, gone)
    assert without_module.stderr.startswith("Error: there is no module no_such")


def test_a_closed_input(tmp_path: Path) -> None:
    """A manifest from an input that is closed is nothing, as is one from an empty file."""
    done = redirected("<&-", "apply", "-f", "-", tmp_path / "config")
    assert done.returncode == 2
    assert done.stderr == "Error: standard input: nothing, no ConfigMap and no Secret\n"


def test_a_reader_that_has_seen_enough(volume: AtomicWriter) -> None:
    """Where its reader ends first, as ``head`` does, it ends without a word."""
    volume.write({f"K{number:04}": "x" for number in range(2000)})
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)  # for it not to be over before its reader is
    process = subprocess.Popen(
        [*MODULE, "show", "-v", str(volume.directory)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 1


def test_a_terminal_of_twenty_columns(volume: AtomicWriter) -> None:
    """However narrow a terminal is, lines are broken, and nothing of them is left out."""
    volume.write({"not-a-variable": "x"})
    screen = on_terminal(20, "doctor", volume.directory)
    assert screen.status == 0
    told = "".join(STYLE.sub("", screen.out).split())
    assert "(not-a-variable)" in told
    assert "…" not in told.partition("NOTE")[2]


def test_a_terminal_that_can_do_nothing(volume: AtomicWriter) -> None:
    """``TERM=dumb`` gets neither colours nor a cursor that moves."""
    volume.write({"not-a-variable": "x"})
    screen = on_terminal(80, "doctor", volume.directory, TERM="dumb")
    assert (screen.status, "\x1b" in screen.out) == (0, False)


@pytest.mark.parametrize("command", [["doctor"], ["check", "-f", "app.yaml"]])
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, command: list[str], by: signal.Signals) -> None:
    """Interrupted, it ends with 130, not as with findings, leaves nothing behind and is silent."""
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "app.yaml").write_text(MANIFEST)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [*MODULE, *command, "--settings", "slow:settings"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **ENVIRON, "TMPDIR": str(scratch)},
        start_new_session=True,  # so that all of it is interrupted, as by a terminal
    )
    eventually((tmp_path / "begun").exists, 30)
    os.killpg(process.pid, by)
    assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 130
    assert list(scratch.iterdir()) == []


ASKING = "from dynaconf_k8s_reload.cli import asking; asking.processes = lambda: "


@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_question_that_is_interrupted(by: str) -> None:
    """``status``, which does without the others' command line, ends as they do."""
    kill = f"os.kill(os.getpid(), signal.{by})"
    assert run_process("status", first=ASKING + kill) == (130, "", "")


def test_a_file_that_is_missing_is_no_output_that_takes_no_more() -> None:
    """What is wrong with a file of this package's or of Python's is shown as what it is."""
    done = run_process("status", first=f"{ASKING}open('/nowhere/file')")
    assert done.status == 1
    assert done.err.startswith("Traceback")
    assert "'/nowhere/file'" in done.err


def test_json_in_another_encoding(volume: AtomicWriter) -> None:
    """JSON stays JSON where the output cannot take every letter."""
    volume.write({"A": "é ✓"})
    done = subprocess.run(
        [*MODULE, "show", "--json", "--values", str(volume.directory)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert '"value": "\\u00e9 \\u2713"' in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_directory_with_a_name_that_is_not_text(tmp_path: Path) -> None:
    """A directory's name may be any bytes."""
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    directory.mkdir()
    (directory / "A").write_text("1")
    shown = redirected("", "show", directory)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\\udcff" in shown.stdout
