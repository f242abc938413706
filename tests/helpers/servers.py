"""A web server on a program of tests/helpers/programs, and clients that keep requesting."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from applications import PROGRAMS
from dynaconf_k8s_reload.testing import AtomicWriter


@contextmanager
def serving(command: Sequence[str], volume: AtomicWriter, log: Path) -> Iterator[int]:
    """Run ``python -m`` with a command in which ``{fd}`` stands for a listening socket.

    Give its port; at the end it is asked to end as by an orchestrator, and must do so.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, log.open("w") as output:
        arguments = [argument.format(fd=listener.fileno()) for argument in command]
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={
                **os.environ,
                "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)]),
                "PYTHONPATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")]),
            },
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            yield int(listener.getsockname()[1])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM), log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(30)
    assert "Traceback" not in log.read_text()


def ask(port: int, path: str = "/") -> tuple[int, Any]:
    """Request once; give the status code and the JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


class Clients:
    """Connections that keep requesting ``/``.

    Args:
        port: of the server on this machine.
        check: says what is wrong with an answer's JSON, or nothing.
        connections: how many at a time.

    Attributes:
        answers: the last answer of each process, which names itself as ``"pid"``.
        requests: how many were answered.
        problems: failed requests, and what `check` said.
    """

    def __init__(
        self, port: int, check: Callable[[Any], object] = lambda _: None, connections: int = 8
    ) -> None:
        self.answers: dict[int, Any] = {}
        self.requests = 0
        self.problems: list[object] = []
        self._port = port
        self._check = check
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def all(self, workers: int, condition: Callable[[Any], object]) -> bool:
        """Tell whether the last answers of so many processes meet a condition."""
        with self._lock:
            answers = list(self.answers.values())
        return len(answers) == workers and all(condition(answer) for answer in answers)

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                status, answer = ask(self._port)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.problems.append(repr(error))
                continue
            problem = f"status {status}" if status != 200 else self._check(answer)
            with self._lock:
                self.requests += 1
                self.answers[answer["pid"]] = answer
                if problem:
                    self.problems.append(problem)
