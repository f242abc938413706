"""examples/flask: the application over HTTP and on its command line, and the demonstration."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import dynaconf_k8s_reload
from dynaconf_k8s_reload.testing import AtomicWriter

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flask"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is found from any directory."""
    monkeypatch.setenv("PYTHONPATH", str(Path(dynaconf_k8s_reload.__file__).parents[1]))


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, path: None) -> Any:
    """The module demo.py, with a deadline for machines under load."""
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    specification = importlib.util.spec_from_file_location("flask_demo", EXAMPLE / "demo.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "DEADLINE", 60.0)
    return module


def test_the_demonstration_ends_well(demo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It changes, deletes and adds a key, and every answer is the expected one."""
    assert demo.main() == 0
    assert "was never restarted" in capsys.readouterr().out


def test_the_application_answers(demo: Any, volume: AtomicWriter) -> None:
    """Variables, settings and the status follow; the status holds no value."""
    volume.write({"MYAPP_DB__HOST": "verysecret", "KEY1": "VAL1"})
    start = time.monotonic()
    with demo.running(volume.directory, {"KEY1": "VAL1"}) as application:
        application.expect("/settings/DB.HOST", "200 verysecret", start)
        volume.write({"KEY1": "VAL1", "SESSION_COOKIE_NAME": "sid"})
        start = time.monotonic()
        application.expect("/settings/DB.HOST", "404 NOT FOUND", start)
        application.expect("/settings/SESSION_COOKIE_NAME", "200 sid", start)
        volume.write({"KEY1": "verysecret"})
        start = time.monotonic()
        application.expect("/settings/SESSION_COOKIE_NAME", "200 session", start)
        application.expect("/getEnvValue?var=KEY1", "200 verysecret", start)
        answer = application.get("/-/config")
        assert answer.startswith("200 {")
        assert json.loads(answer.removeprefix("200 "))["generation"] == 3
        assert "verysecret" not in answer


def test_the_command_line_answers(volume: AtomicWriter, path: None) -> None:
    """diff names what the mount has otherwise than the process; status ends with 0."""
    volume.write({"KEY1": "NEW_VAL1", "KEY2": "VAL2"})
    environment = {**os.environ, "CONFIG_DIR": str(volume.directory), "KEY1": "VAL1"}

    def flask(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "k8s-reload", *arguments],
            cwd=EXAMPLE,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    assert flask("diff") == "modified          KEY1\nadded             KEY2\n"
    assert json.loads(flask("status"))["generation"] == 1
