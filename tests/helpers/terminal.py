"""A document's steps, and a terminal in which somebody follows them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path
from tempfile import mkstemp
from typing import NamedTuple

import dynaconf_k8s_reload
from support import eventually

DONE = "-- exit status "
AT_MOST = 90.0  # seconds until a command shows what it is to show, on a busy machine
STAND_INS = Path(__file__).parent / "programs" / "stand_ins"
PLUGIN = "dynaconf_k8s_reload.pytest_plugin"

# What differs from a reader's machine: nothing comes from the index, the package may be a checkout,
# and curl, which writes to a file here, shows no progress and ends each answer with a line break.
COMMANDS = r"""
set -m
python3() { "$PYTHON" "$@" --without-pip; }
pip() { python -m pip "$@"; }
dynaconf-k8s-reload() { python -m dynaconf_k8s_reload "$@"; }
curl() { command curl --silent --show-error --max-time 20 --write-out '\n' "$@"; }
"""

_STEP = re.compile(
    r"^```console\n(?P<console>.*?)^```"
    r"|^`(?P<name>[\w./-]+)`:\n\n```\w+\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


class Command(NamedTuple):
    """What is typed, and the lines that a document shows below it."""

    typed: str
    shown: list[str]


class File(NamedTuple):
    """What a document has somebody save."""

    name: str
    text: str


def steps(document: Path) -> list[Command | File]:
    """Give what a document has somebody do, in its order."""
    found: list[Command | File] = []
    for step in _STEP.finditer(document.read_text()):
        if step["name"]:
            found.append(File(step["name"], step["text"]))
            continue
        for block in re.split(r"^\$ ", step["console"], flags=re.MULTILINE)[1:]:
            typed, *shown = block.splitlines()
            found.append(Command(typed, [line for line in shown if line]))
    return found


def commands(document: Path) -> list[Command]:
    """Give the commands alone."""
    return [step for step in steps(document) if isinstance(step, Command)]


def environment(temporary: Path) -> dict[str, str]:
    """Give the variables of a shell that finds what this Python has installed, in any venv too."""
    package = Path(dynaconf_k8s_reload.__file__).parents[1]
    places = [STAND_INS, package, *map(sysconfig.get_path, ("purelib", "platlib"))]
    known = {entry.value for each in distributions() for entry in each.entry_points}
    plugin = "" if PLUGIN in known else f" -p {PLUGIN}"
    return {
        **os.environ,
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(map(str, dict.fromkeys(places))),
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        "PYTEST_ADDOPTS": os.environ.get("PYTEST_ADDOPTS", "") + plugin,
        "TMPDIR": str(temporary),
    }


class Terminal:
    """A shell in a directory, and its screen; whatever it has started ends with the block."""

    def __init__(self, directory: Path, temporary: Path) -> None:
        descriptor, screen = mkstemp(dir=temporary)
        self._screen = Path(screen)
        with open(descriptor, "w") as output:
            self._shell = subprocess.Popen(
                ["bash"],
                cwd=directory,
                env=environment(temporary),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._type(COMMANDS)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        for process in _of_session(self._shell.pid):
            with suppress(ProcessLookupError):  # a server that has been told to end does so
                os.kill(process, signal.SIGKILL)
        assert self._shell.stdin
        self._shell.stdin.close()
        self._shell.wait(30)

    def save(self, file: File) -> None:
        """Save a file where the shell is."""
        directory = os.path.dirname(file.name) or "."
        self.run(f"mkdir -p {directory} && cat > {file.name} <<'THE END'\n{file.text}THE END")

    def start(self, typed: str) -> int:
        """Type a command, and give where on the screen its output begins."""
        start = len(self.screen())
        self._type(typed)
        return start

    def run(self, typed: str) -> int:
        """Do so, and wait until it has ended; it must succeed."""
        start = self.start(typed)
        self._type(f'echo "{DONE}$?"')
        eventually(lambda: DONE in self.screen()[start:], AT_MOST, else_show=self.screen)
        printed = self.screen()[start:]
        assert f"{DONE}0\n" in printed, f"$ {typed}\n{printed}"
        return start

    def printed(self, start: int) -> list[str]:
        """Give the lines that were printed from there on."""
        lines = self.screen()[start:].splitlines()
        return [line for line in lines if line and not line.startswith(DONE)]

    def screen(self) -> str:
        """Give all that was ever printed."""
        return self._screen.read_text()

    def _type(self, text: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(f"{text}\n")
        self._shell.stdin.flush()


def _of_session(leader: int) -> list[int]:
    """Give the processes of a session: the shell, its jobs and their children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has ended meanwhile
            continue
        if int(text.rpartition(")")[2].split()[3]) == leader:
            found.append(int(stat.parent.name))
    return found
