"""``examples/django``, started as its page says and asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynaconf_k8s_reload.testing import AtomicWriter
from servers import free_port
from support import eventually

pytest.importorskip("django", reason="Django is not installed")
yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "django"


@pytest.fixture
def port() -> Iterator[int]:
    """What the server is to listen on."""
    with free_port() as port:
        yield port


def test_the_example_follows_its_configmap(volume: AtomicWriter, tmp_path: Path, port: int) -> None:
    """It serves the ConfigMap and an update of it, and goes on where one is refused."""
    volume.write(yaml.safe_load((EXAMPLE / "configmap.yaml").read_text())["data"])

    def get(path: str) -> dict[str, object]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            answer: dict[str, object] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            connection.close()
        return answer

    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, EXAMPLE / "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            env={**os.environ, "CONFIG_DIR": str(volume.directory)},
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: get("/price") == {"price": 180.0}, 60, else_show=log.read_text)
        assert get("/banner") == {"banner": "Summer sale"}
        volume.set("SHOP_DISCOUNT", "50")
        eventually(lambda: get("/price") == {"price": 100.0}, 60)
        volume.delete("SHOP_BANNER")
        eventually(lambda: get("/banner") == {"banner": "Welcome"}, 60)
        volume.set("SHOP_DISCOUNT", "99")
        eventually(lambda: get("/-/config").get("rejected") == 1, 60)
        assert get("/price") == {"price": 100.0}
        assert get("/-/config")["restart_required"] == []  # the project has no databases to change
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in log.read_text()
