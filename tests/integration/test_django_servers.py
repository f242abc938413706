"""Django under gunicorn and uvicorn, with requests running throughout."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from django_project import environment
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

pytestmark = pytest.mark.heavy
pytest.importorskip("django", reason="Django is not installed")

CONNECTIONS = 6
UPDATES = 15
GUNICORN = (
    *("gunicorn", "--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    *("--no-control-socket", "--bind", "fd://{}", "project.wsgi"),
)
UVICORN = (
    "uvicorn",
    "--fd",
    "{}",
    "--lifespan",
    "off",
    "--no-access-log",
    "project.asgi:application",
)


@contextmanager
def serving(volume: AtomicWriter, log: Path, server: tuple[str, ...]) -> Iterator[int]:
    """Serve the project; give the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *(each.format(listener.fileno()) for each in server)],
            env=environment(volume.directory),
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def ask(port: int, path: str = "/", host: str = "stays.example") -> tuple[int, bytes]:
    """Send a request with a connection of its own; give status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Clients:
    """Connections that keep asking, and what they were answered.

    Attributes:
        newest: by worker, the newest pair.
        extra: by worker, the newest answer's key that comes and goes.
        requests: how many there were.
        problems: failed requests, and pairs that are not of one generation or are older than one
            that was answered before.
    """

    def __init__(self, port: int) -> None:
        self.newest: dict[int, int] = {}
        self.extra: dict[int, int | None] = {}
        self.requests = 0
        self.problems: list[object] = []
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
                status, body = ask(self._port)
            except (OSError, http.client.HTTPException) as error:
                self.problems.append(repr(error))
                continue
            with self._lock:
                self.requests += 1
                if status != 200:
                    self.problems.append((status, body))
                    continue
                answer = json.loads(body)
                worker, (first, second) = answer["pid"], answer["pair"]
                if first != second or first < known.get(worker, 0):
                    self.problems.append((known, answer))
                self.newest[worker] = max(first, self.newest.get(worker, 0))
                self.extra[worker] = answer["extra"]


@pytest.mark.parametrize(
    ("server", "workers"), [(GUNICORN, 2), (UVICORN, 1)], ids=["gunicorn", "uvicorn"]
)
def test_no_request_fails_or_sees_two_generations(
    volume: AtomicWriter, tmp_path: Path, server: tuple[str, ...], workers: int
) -> None:
    """A key is changed, added and deleted again; then the hosts change, and the old is refused."""
    pytest.importorskip(server[0], reason=f"{server[0]} is not installed")

    def content(number: int, *hosts: str) -> dict[str, str]:
        return {
            "DJANGO_ALLOWED_HOSTS": json.dumps(["stays.example", *hosts]),
            "DJANGO_FIRST": str(number),
            "DJANGO_SECOND": str(number),
            **({"DJANGO_EXTRA": str(number), "DJANGO_DEBUG": "true"} if number % 3 == 1 else {}),
        }

    log = tmp_path / "log"
    volume.write(content(0, "old.example"))
    with serving(volume, log, server) as port:
        with Clients(port) as clients:
            eventually(lambda: len(clients.newest) == workers, 60, else_show=log.read_text)
            for number in range(1, UPDATES + 1):
                volume.write(content(number, "old.example"))
                expected = number if number % 3 == 1 else None
                eventually(
                    lambda n=number: set(clients.newest.values()) == {n},  # type: ignore[misc] # reason: mypy knows no lambda with a default
                    30,
                    else_show=lambda: clients.newest,
                )
                eventually(lambda e=expected: set(clients.extra.values()) == {e}, 30)  # type: ignore[misc] # reason: as above
            assert ask(port, host="old.example")[0] == 200
            assert ask(port, host="new.example")[0] == 400
            volume.write(content(UPDATES + 1, "new.example"))
            eventually(lambda: set(clients.newest.values()) == {UPDATES + 1}, 30)
            for _ in range(10):
                assert ask(port, host="old.example")[0] == 400
                assert ask(port, host="new.example")[0] == 200
        assert len(clients.newest) == workers  # none was started again
        assert clients.problems == []
    assert "dynaconf_k8s_reload" not in log.read_text()  # no warning of it, no frame in a traceback
    print(f"{server[0]}: {UPDATES + 1} updates, {clients.requests} requests, none failed")
