"""The tests of the testing example pass as a user would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import dynaconf_k8s_reload

HERE = Path(__file__).parents[2] / "examples" / "testing"
PLUGIN = "dynaconf_k8s_reload.pytest_plugin"


def test_the_example_passes_in_a_directory_of_its_own(tmp_path: Path) -> None:
    """Copied elsewhere, without a configuration of pytest, all of its tests pass."""
    for path in HERE.glob("*.py"):
        shutil.copy(path, tmp_path)
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    if all(entry.value != PLUGIN for entry in entry_points(group="pytest11")):
        command += ["-p", PLUGIN]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(dynaconf_k8s_reload.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"\b4 passed\b", run.stdout), run.stdout
