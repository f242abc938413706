"""The program of examples/script, and the recording of it in the documents."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from command import running
from support import eventually

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "script"


def test_the_program_follows_the_manifest(tmp_path: Path) -> None:
    """``apply --watch`` in one process, the program in another: it shows an edit of the YAML."""
    manifest = tmp_path / "configmap.yaml"
    shutil.copy(EXAMPLE / "configmap.yaml", manifest)
    mount = tmp_path / "config"
    screen = tmp_path / "program"
    with running("apply", "--watch", "-f", manifest, mount, directory=tmp_path) as command:
        command.shows("added     MYAPP_GREETING")
        with screen.open("w") as output:
            program = subprocess.Popen(
                [sys.executable, EXAMPLE / "app.py"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "CONFIG_DIR": str(mount)},
            )
        try:
            shown = f"process {program.pid}: settings 'hello', environment 'hello'\n"
            eventually(lambda: screen.read_text() == shown, 30, else_show=screen.read_text)
            manifest.write_text(manifest.read_text().replace("hello", "good morning"))
            shown += "modified: settings 'good morning', environment 'good morning'\n"
            eventually(lambda: screen.read_text() == shown, 30, else_show=screen.read_text)
        finally:
            program.kill()
            program.wait(20)
        assert command.end() == 0


def test_the_recording_is_what_running_it_shows(tmp_path: Path) -> None:
    """A new recording equals that of the documents, but for times and the process's number."""
    recorder = [sys.executable, str(ROOT / "docs" / "record_demo.py"), str(tmp_path), "0"]
    subprocess.run(recorder, check=True, timeout=150)
    for name in ("demo.txt", "demo.cast"):
        recorded = (ROOT / "docs" / "recordings" / name).read_text()
        assert shape((tmp_path / name).read_text()) == shape(recorded)
    assert max(map(len, (ROOT / "docs" / "recordings" / "demo.txt").read_text().splitlines())) <= 80


def shape(recording: str) -> str:
    return re.sub(r"process \d+|\d\d:\d\d:\d\d|^\[[\d.]+", "…", recording, flags=re.MULTILINE)
