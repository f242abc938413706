"""Pinned requests under real servers, while the mount is swapped again and again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import ten_keys
from applications import PROGRAMS
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import Clients, serving
from support import eventually

pytestmark = pytest.mark.heavy

REQUESTS = 10_000
SWAPS = 200
WORKERS = 2
GUNICORN = (
    *("gunicorn", "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4"),
    *("--bind", "fd://{fd}", "pinned_flask:app"),
)
UVICORN = (
    *("uvicorn", "--fd", "{fd}", "--workers", str(WORKERS), "--no-access-log"),
    "pinned_asgi:app",
)


@pytest.mark.parametrize("server", [GUNICORN, UVICORN], ids=["gunicorn", "uvicorn"])
def test_no_request_is_mixed_or_fails(
    volume: AtomicWriter, tmp_path: Path, server: tuple[str, ...]
) -> None:
    """10,000 requests read ten keys twice each over 200 swaps; unpinned reads do get mixed."""
    pytest.importorskip(server[0], reason=f"{server[0]} is not installed")
    unpinned: list[int] = []

    def check(answer: dict[str, int], _: object) -> object:
        if answer["live_mixed"]:
            unpinned.append(answer["number"])
        return answer if answer["mixed"] else None

    volume.write(ten_keys.content(0))
    variables = {
        **os.environ,
        "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)]),
        "PYTHONPATH": os.pathsep.join(
            [str(PROGRAMS), str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")]
        ),
    }
    with (
        serving(server, volume, tmp_path / "log", variables) as port,
        Clients(port, check, newest=lambda answer: answer["number"]) as clients,
    ):
        eventually(lambda: clients.all(WORKERS, lambda _: True), seconds=60)
        for number in range(1, SWAPS + 1):
            volume.write(ten_keys.content(number))
            eventually(
                lambda n=number: clients.all(WORKERS, lambda a: a["number"] == n),  # type: ignore[misc] # reason: mypy knows no lambda with a default
                seconds=30,
            )
        eventually(lambda: clients.requests >= REQUESTS, seconds=300)
    assert clients.problems == []
    assert unpinned
    print(
        f"{server[0]}: {clients.requests} requests, {SWAPS} swaps, none failed, none mixed; "
        f"{len(unpinned)} would have been"
    )
