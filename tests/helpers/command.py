"""Run the command line, here or in a process of its own, and compare its screens with files."""

from __future__ import annotations

import difflib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from applications import NOT_ALLOWED, PROGRAMS
from dynaconf_k8s_reload.cli import cli
from support import eventually

PROGRAM = PROGRAMS / "cli_run.py"
SCREENS = Path(__file__).parents[1] / "tools" / "screens"
MODULE = [sys.executable, "-m", "dynaconf_k8s_reload"]
ENVIRON = {"PYTHONUNBUFFERED": "1"}
WIDTHS = (80, 200)
STYLE = re.compile(r"\x1b\[[\d;]*m")
# Up to click 8.1 a runner mixes what it captures unless told otherwise.
APART: Any = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
NORMAL = [
    (r"\.\.\d{4}(_\d\d){5}\.\d+", "..2026_01_02_03_04_05.1234567890"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+\+", "2026-01-02T03:04:05.000000+"),
    (r"\b\d\d:\d\d:\d\d\b", "03:04:05"),
    (r"written \d+ \w+ ago", "written 7 seconds ago"),
    (r"\d+\.\d{3} s after", "0.007 s after"),
    (r'"lag": [-\d.e]+', '"lag": 0.007'),
    (r'"committed_at": [\d.]+', '"committed_at": 1767323045.1'),
    (r"/tmp/screens\.\w{8}", "/tmp/screens.00000000"),
]


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


def run(
    *arguments: object, given: str = "", columns: int | str | None = None, **environ: str | None
) -> Done:
    """Run the command in this process, piped or on a terminal of so many columns."""
    terminal = {} if columns is None else {"FORCE_COLOR": "1", "COLUMNS": str(columns)}
    runner = CliRunner(env={**ENVIRON, "COLUMNS": None, **terminal, **environ}, **APART)
    result = runner.invoke(
        cli, list(map(str, arguments)), input=given, prog_name="dynaconf-k8s-reload"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, STYLE.sub("", result.stdout), result.stderr)


def screens(name: str, *arguments: object) -> Done:
    """Approve a command's screens at each width, piped and as JSON; give what is piped."""
    for columns in WIDTHS:
        approved(f"{name}-{columns}", run(*arguments, columns=columns).out, columns)
    piped = run(*arguments)
    approved(f"{name}-piped", piped.out)
    approved(f"{name}-json", run(*arguments, "--json").out)
    return piped


def run_process(
    *arguments: object,
    first: str = "",
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Done:
    """Run it in a process of its own; skip the test where the machine does not allow `first`."""
    done = subprocess.run(
        [sys.executable, PROGRAM, first, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=directory,
        env={**os.environ, **ENVIRON, **(environ or {})},
        check=False,
    )
    if done.returncode == NOT_ALLOWED:
        pytest.skip(done.stderr)
    return Done(done.returncode, done.stdout, done.stderr)


def on_terminal(columns: int, *arguments: object, **environ: str) -> Done:
    """Run it on a terminal of its own, of so many columns, which shows both of its outputs."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [*MODULE, *map(str, arguments)],
        stdin=its,
        stdout=its,
        stderr=its,
        env={**inherited, "TERM": "xterm-256color", **environ},
    )
    os.close(its)
    screen = b""
    try:
        while part := os.read(ours, 4096):
            screen += part
    except OSError:  # Linux' way to tell that the other side is closed
        pass
    os.close(ours)
    return Done(process.wait(20), screen.decode().replace("\r\n", "\n"), "")


class Running:
    """A command that goes on until it is ended."""

    def __init__(self, process: subprocess.Popen[str], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def shows(self, text: str) -> None:
        """Wait until it has printed a text."""
        self._wait(lambda: text in self.out)

    def says(self, text: str) -> None:
        """Wait until it has printed a text among the errors."""
        self._wait(lambda: text in self.err)

    def _wait(self, condition: Callable[[], bool]) -> None:
        def ended() -> bool:
            return self.process.poll() is not None

        eventually(lambda: condition() or ended(), 60, else_show=lambda: self.out + self.err)
        assert condition(), self.out + self.err

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and give the exit status."""
        self.process.send_signal(by)
        return self.process.wait(30)


@contextmanager
def running(*arguments: object, directory: Path) -> Iterator[Running]:
    """Run it in the background, until the end of the block at the latest."""
    out, err = directory / "stdout", directory / "stderr"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, PROGRAM, "", *map(str, arguments)],
            stdout=stdout,
            stderr=stderr,
            text=True,
            env={**os.environ, **ENVIRON},
        )
    try:
        yield Running(process, out, err)
    finally:
        process.kill()
        process.wait(20)


def made(directory: Path) -> Path:
    """Make a directory, and give it."""
    directory.mkdir()
    return directory


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory whose path always has the same length, for screens that show it."""
    made = tempfile.mkdtemp(prefix="screens.", dir="/tmp")
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made)


def approved(name: str, screen: str, columns: int | None = None) -> None:
    """Compare a screen with the approved file; with ``APPROVE=1`` in the environment, write it."""
    for pattern, normal in NORMAL:
        screen = re.sub(pattern, normal, screen)
    assert columns is None or max(map(len, screen.splitlines())) <= columns
    file = SCREENS / f"{name}.txt"
    if "APPROVE" in os.environ:
        file.write_text(screen)
    expected = file.read_text()
    difference = difflib.unified_diff(expected.splitlines(), screen.splitlines(), lineterm="")
    assert screen == expected, "\n".join(difference)
