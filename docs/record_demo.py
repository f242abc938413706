# noqa: INP001 -- because it is a program, not a package
"""Record what the two terminals of examples/script show, by running both: no cluster is needed.

Writes docs/recordings/demo.txt, both screens to read, and demo.cast, the program's screen with its
times, in the format of asciinema (its markers are the edits). `draw_demo.py` makes the moving
pictures from the latter. A directory may be given as argument, and how long to wait before an edit.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "script"
RECORDINGS = ROOT / "docs" / "recordings"
SECONDS = 30.0
PAUSE = 2.0
WIDTH, HEIGHT = 80, 12


class Edit(NamedTuple):
    """An edit of the manifest, and what becomes of it; refused where nothing does."""

    what: str
    old: str
    new: str
    effect: str | None


EDITS = (
    Edit('the greeting becomes "good morning"', "hello", "good morning", "modified"),
    Edit("the greeting becomes a number, which Kubernetes refuses", "good morning", "42", None),
    Edit("the greeting becomes text again", "42", "good evening", "modified"),
    Edit("the key is deleted", "  MYAPP_GREETING: good evening\n", "", "removed"),
)


class Terminal:
    """A command, and what it has printed when."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.printed: list[tuple[float, str]] = []
        self._news = threading.Condition()

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Note each line that a process prints, until it has ended."""
        for line in process.stdout or ():
            with self._news:
                self.printed.append((time.monotonic(), line))
                self._news.notify_all()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until a text has been printed so often.

        Raises:
            TimeoutError: it has not.
        """
        with self._news:
            if not self._news.wait_for(lambda: self.text.count(text) >= times, SECONDS):
                raise TimeoutError(f"no {text!r} in:\n{self.text}")

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(line for _, line in self.printed)


@contextmanager
def running(shown: str, command: Sequence[str], directory: Path) -> Iterator[Terminal]:
    """Run a command in a directory, and end it."""
    process = subprocess.Popen(  # noqa: S603 -- because it starts only what it records
        command,
        cwd=directory,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    terminal = Terminal(shown)
    reader = threading.Thread(target=terminal.follow, args=[process])
    reader.start()
    try:
        yield terminal
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()
        reader.join()


def record(recordings: Path, pause: float) -> None:
    """Run both programs, edit the manifest, and write down both screens."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        for name in ("app.py", "configmap.yaml"):
            shutil.copy(EXAMPLE / name, directory)
        apply = ["apply", "--watch", "-f", "configmap.yaml", "./config"]
        kubelet = [sys.executable, "-m", "dynaconf_k8s_reload", *apply]
        with running(f"dynaconf-k8s-reload {' '.join(apply)}", kubelet, directory) as first:
            first.wait_for("written at")
            program = [sys.executable, "app.py"]
            with running("python app.py", program, directory) as second:
                second.wait_for("process")
                saved = _edit(directory / "configmap.yaml", first, second, pause)
                printed = list(second.printed)
    (recordings / "demo.txt").write_text(_screens(first, second, printed))
    (recordings / "demo.cast").write_text(_cast(second, printed, saved))


def _edit(manifest: Path, kubelet: Terminal, program: Terminal, pause: float) -> list[float]:
    """Save each edit as an editor does, so that it is never half; give the times."""
    saved: list[float] = []
    written, changed = 1, 1
    for edit in EDITS:
        time.sleep(pause)
        new = manifest.with_name("saved.yaml")
        new.write_text(manifest.read_text().replace(edit.old, edit.new))
        saved.append(time.monotonic())
        new.replace(manifest)
        if edit.effect is None:
            kubelet.wait_for("left as it is")
        else:
            written, changed = written + 1, changed + 1
            kubelet.wait_for("written at", written)
            program.wait_for(": settings", changed)
    return saved


def _screens(kubelet: Terminal, program: Terminal, printed: list[tuple[float, str]]) -> str:
    edits = "\n".join(f"  {number}. {edit.what}" for number, edit in enumerate(EDITS, 1))
    kubelet_shows = "\n".join(_wrapped(line) for line in kubelet.text.splitlines())
    return (
        f"The manifest is edited and saved four times:\n{edits}\n\n"
        f"Terminal 1\n----------\n$ {kubelet.command}\n{kubelet_shows}\n\n"
        f"Terminal 2\n----------\n$ {program.command}\n{''.join(line for _, line in printed)}"
    )


def _cast(program: Terminal, printed: list[tuple[float, str]], saved: list[float]) -> str:
    """Lay out an asciicast: a header, then an event a line."""
    start = printed[0][0]
    header = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": program.command}
    outputs = [(when - start, "o", line.replace("\n", "\r\n")) for when, line in printed]
    marks = [(when - start, "m", edit.what) for when, edit in zip(saved, EDITS, strict=True)]
    events = [[round(when, 3), kind, text] for when, kind, text in sorted(outputs + marks)]
    return "".join(f"{json.dumps(each)}\n" for each in [header, *events])


def _wrapped(line: str) -> str:
    return line if len(line) <= WIDTH else textwrap.fill(line, WIDTH)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    record(
        Path(arguments[0]) if arguments else RECORDINGS,
        float(arguments[1]) if len(arguments) > 1 else PAUSE,
    )
