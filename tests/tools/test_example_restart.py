"""The recipe for a container that restarts itself, as the page shows it."""

from __future__ import annotations

import http.client
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from docs_site import DOCS, Page, environment
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import serving
from support import eventually


def answer(port: int) -> Any:
    """Ask once; give the answer's status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()


@pytest.mark.heavy
def test_a_container_restarts_itself(tmp_path: Path) -> None:
    """A changed restart key ends the server, once it has answered what is under way."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    volume = AtomicWriter(tmp_path / "config")
    volume.write({"DATABASE": "one", "PAUSE": "0"})
    Page.read(DOCS / "restart.md").write(tmp_path)
    ended = tmp_path / "ended"
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(
        config.read_text() + f"\n\ndef on_exit(server):\n    open({str(ended)!r}, 'w').close()\n"
    )
    variables = environment()
    variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), variables["PYTHONPATH"]])
    command = ["gunicorn", "--config", str(config), "--bind", "fd://{fd}", "--no-control-socket"]
    command += ["app:application"]
    with serving(command, volume, tmp_path / "log", variables) as port:
        eventually(lambda: answer(port) == (200, "one"), seconds=30)
        volume.write({"DATABASE": "one", "PAUSE": "3"})  # no restart key: everything goes on
        answers: list[Any] = []
        slow = threading.Thread(target=lambda: answers.append(answer(port)))
        eventually(lambda: timed(port) > 2)
        assert not ended.exists()
        slow.start()
        slow.join(0.5)  # so that a worker has it
        volume.write({"DATABASE": "two", "PAUSE": "3"})
        eventually(ended.exists, seconds=30)
        slow.join()
        assert answers[0][0] == 200


def timed(port: int) -> float:
    """Give the seconds that an answer takes."""
    began = time.monotonic()
    answer(port)
    return time.monotonic() - began
