# noqa: INP001 -- because it is a program, not a package
"""Record what the two terminals of examples/script show, by running both: no cluster is needed.

Writes docs/recordings/demo.txt, or the file that is given as argument.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "script"
RECORDING = ROOT / "docs" / "recordings" / "demo.txt"
SECONDS = 30.0
TICK = 0.02
WIDTH = 80

EDITS = (
    ('the greeting becomes "good morning"', "hello", "good morning", "modified"),
    ("the greeting becomes a number, which Kubernetes refuses", "good morning", "42", None),
    ("the greeting becomes text again", "42", "good evening", "modified"),
    ("the key is deleted", "  MYAPP_GREETING: good evening\n", "", "removed"),
)


class Terminal:
    """A command, and what it has printed."""

    def __init__(self, command: str, screen: Path) -> None:
        self.command = command
        self._screen = screen

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until a text has been printed so often.

        Raises:
            TimeoutError: it has not.
        """
        give_up = time.monotonic() + SECONDS
        while self.text.count(text) < times:
            if time.monotonic() > give_up:
                raise TimeoutError(f"no {text!r} in:\n{self.text}")
            time.sleep(TICK)

    @property
    def text(self) -> str:
        """All of it so far."""
        return self._screen.read_text()


@contextmanager
def running(shown: str, command: Sequence[str], directory: Path, name: str) -> Iterator[Terminal]:
    """Run a command in a directory, and end it."""
    screen = directory / f"{name}.screen"
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with screen.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 -- because it starts only what it records
            command, cwd=directory, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Terminal(shown, screen)
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()


def record(recording: Path) -> None:
    """Run both programs, edit the manifest, and write down both screens."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        for name in ("app.py", "configmap.yaml"):
            shutil.copy(EXAMPLE / name, directory)
        recording.write_text(_screens(directory))


def _screens(directory: Path) -> str:
    apply = ["apply", "--watch", "-f", "configmap.yaml", "./config"]
    shown = f"dynaconf-k8s-reload {' '.join(apply)}"
    kubelet = [sys.executable, "-m", "dynaconf_k8s_reload", *apply]
    manifest = directory / "configmap.yaml"
    with running(shown, kubelet, directory, "kubelet") as first:
        first.wait_for("written at")
        program = [sys.executable, "app.py"]
        with running("python app.py", program, directory, "program") as second:
            second.wait_for("process")
            written, changed = 1, 0
            for _, old, new, effect in EDITS:
                saved = directory / "saved.yaml"  # as an editor does, so that it is never half
                saved.write_text(manifest.read_text().replace(old, new))
                saved.replace(manifest)
                if effect is None:
                    first.wait_for("left as it is")
                else:
                    written, changed = written + 1, changed + 1
                    first.wait_for("written at", written)
                    second.wait_for(": settings", changed + 1)
            program_shows = second.text
    kubelet_shows = "\n".join(_wrapped(line) for line in first.text.splitlines())
    edits = "\n".join(f"  {number}. {edit[0]}" for number, edit in enumerate(EDITS, 1))
    return (
        f"The manifest is edited and saved four times:\n{edits}\n\n"
        f"Terminal 1\n----------\n$ {first.command}\n{kubelet_shows}\n\n"
        f"Terminal 2\n----------\n$ {second.command}\n{program_shows}"
    )


def _wrapped(line: str) -> str:
    return line if len(line) <= WIDTH else textwrap.fill(line, WIDTH)


if __name__ == "__main__":
    record(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING)
