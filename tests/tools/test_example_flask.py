"""examples/flask: the application over HTTP and on its command line, and the demonstration."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dynaconf_k8s_reload
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import free_port
from support import eventually

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


@pytest.fixture
def port() -> Iterator[int]:
    """What the server is to listen on."""
    with free_port() as port:
        yield port


def test_the_development_server_starts_anew_with_the_variables_of_now(
    volume: AtomicWriter, tmp_path: Path, path: None, port: int
) -> None:
    """With --debug, a change of code restarts the serving process; a deleted key stays deleted."""
    program = tmp_path / "app.py"
    program.write_text((EXAMPLE / "app.py").read_text())
    volume.write({"KEY1": "VAL1", "GONE": "there"})

    def get(name: str) -> str | None:
        url = f"http://127.0.0.1:{port}/getEnvValue?var={name}"
        gone = (OSError, http.client.HTTPException)  # the latter in the middle of its answer
        with contextlib.suppress(*gone), urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
        return None

    # Not by inotify: it would watch all of Python's path, in which others may be writing.
    run = f"from app import app\napp.run(port={port}, debug=True, reloader_type='stat')\n"
    (tmp_path / "run.py").write_text(run)
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=tmp_path,
            env={**os.environ, "CONFIG_DIR": str(volume.directory), "KEY1": "VAL1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            eventually(lambda: get("GONE") == "there", 60)
            volume.write({"KEY1": "VAL2"})
            eventually(lambda: (get("KEY1"), get("GONE")) == ("VAL2", None), 60)
            draft = tmp_path / "draft"
            draft.write_text(program.read_text().replace("str(value)", "f'new {value}'"))
            draft.replace(program)  # in one go: the server must not start with half of it
            eventually(lambda: get("KEY1") == "new VAL2", 60, (tmp_path / "log").read_text)
            assert get("GONE") is None
            volume.write({"KEY1": "VAL3"})
            eventually(lambda: get("KEY1") == "new VAL3", 60)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(60)
