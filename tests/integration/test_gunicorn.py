"""gunicorn: every worker follows, whatever its kind, preloaded or not."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from applications import PROGRAMS
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

pytestmark = pytest.mark.heavy

WORKERS = 4
CONNECTIONS = 8
SWAPS = 20


@contextmanager
def gunicorn(volume: AtomicWriter, log: Path, *arguments: str) -> Iterator[int]:
    """Serve ``programs/web.py``; give the port, and end it as an orchestrator does."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--workers", str(WORKERS)),
                *("--pythonpath", str(PROGRAMS)),
                *("--bind", f"fd://{listener.fileno()}", "--no-control-socket"),
                *("--worker-connections", "2", *arguments, "web:application"),
            ],
            env={**os.environ, "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)])},
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            yield int(listener.getsockname()[1])
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)


class Clients:
    """Connections that keep requesting, and what they were answered.

    Attributes:
        newest: by worker, the highest number that it has answered.
        requests: how many there were.
        problems: failed requests and answers that went back in time.
    """

    def __init__(self, port: int) -> None:
        self.newest: dict[int, int] = {}
        self.requests = 0
        self.problems: list[str] = []
        self._port = port
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CONNECTIONS)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            with self._lock:
                known = dict(self.newest)
            try:
                worker, number, variable = self._ask()
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.problems.append(repr(error))
                continue
            with self._lock:
                self.requests += 1
                if min(number, variable) < known.get(worker, -1):
                    self.problems.append(f"{number}, {variable} after {known[worker]}")
                self.newest[worker] = max(min(number, variable), self.newest.get(worker, -1))

    def _ask(self) -> tuple[int, int, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            response = connection.getresponse()
            if response.status != 200:
                raise ValueError(response.status)
            worker, number, variable = json.loads(response.read())
        finally:
            connection.close()
        return worker, number, variable


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_every_worker_answers_with_the_new_value(
    volume: AtomicWriter, tmp_path: Path, kind: str, preload: bool
) -> None:
    """Within two seconds of each swap all workers serve it; no request fails, none goes back."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    if kind == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    volume.write({"NUMBER": "0"})
    arguments = ["--worker-class", kind, *(["--threads", "2"] if kind == "gthread" else [])]
    log = tmp_path / "log"
    took = []
    with gunicorn(volume, log, *arguments, *(["--preload"] if preload else [])) as port:
        with Clients(port) as clients:
            eventually(lambda: len(clients.newest) == WORKERS, seconds=30)
            for number in range(1, SWAPS + 1):
                volume.write({"NUMBER": str(number)})
                swapped = time.monotonic()
                eventually(lambda n=number: _all(clients, n), seconds=2)  # type: ignore[misc] # reason: mypy knows no lambda with a default
                took.append(time.monotonic() - swapped)
        assert len(clients.newest) == WORKERS  # none was started again
        assert clients.problems == []
    text = log.read_text()
    assert "Traceback" not in text
    print(
        f"{kind}, {'preload' if preload else 'no preload'}: {SWAPS} swaps, {clients.requests} "
        f"requests, all workers after {sum(took) / SWAPS:.3f} s, at most {max(took):.3f} s"
    )


def _all(clients: Clients, number: int) -> bool:
    return all(newest >= number for newest in clients.newest.values())
