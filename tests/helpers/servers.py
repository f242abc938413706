"""A web server that serves a program, and clients that keep requesting."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from applications import PROGRAMS
from dynaconf_k8s_reload.testing import AtomicWriter


@contextmanager
def serving(
    command: Sequence[str],
    volume: AtomicWriter,
    log: Path,
    variables: Mapping[str, str] | None = None,
    seconds: float = 30.0,
    *,
    tracebacks: bool = False,
    codes: Collection[int] = (0, -signal.SIGTERM),
) -> Iterator[int]:
    """Run ``python -m`` with a command in which ``{fd}`` stands for a listening socket.

    Give its port; at the end the server is told to end, as by an orchestrator, and must do so.

    Args:
        command: of the server.
        volume: the mount.
        log: where its output goes.
        variables: its environment; by default one in which it finds tests/helpers/programs.
        seconds: how long it may take to end.
        tracebacks: the log may have some, such as Django writes for a host that it refuses.
        codes: what it may exit with.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, log.open("w") as output:
        arguments = [argument.format(fd=listener.fileno()) for argument in command]
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={
                **os.environ,
                "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)]),
                "PYTHONPATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")]),
            }
            if variables is None
            else variables,
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            yield int(listener.getsockname()[1])
            process.send_signal(signal.SIGTERM)
            assert process.wait(seconds) in codes, log.read_text()
        finally:
            if process.poll() is None:
                process.terminate()  # which ends the workers too
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(30)
    assert tracebacks or "Traceback" not in log.read_text()


@contextmanager
def free_port() -> Iterator[int]:
    """Give a port to a server that binds it by itself; nobody else gets it within the block.

    It is bound here, so whoever asks the system for any port gets another one. A server that sets
    ``SO_REUSEADDR``, as all do, may listen on it nevertheless, since nobody listens (socket(7)).
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def ask(port: int, path: str = "/", host: str = "127.0.0.1") -> tuple[int, Any]:
    """Request once; give the status code and the JSON of the answer, nothing if it is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(response.read()) if is_json else None
    finally:
        connection.close()


class Clients:
    """Connections that keep requesting ``/``.

    Args:
        port: of the server on this machine.
        check: says what is wrong with an answer's JSON, or nothing; its second argument is the
            answers that there were, by process, when the request began.
        newest: of several answers of one process, the one for which this gives most is kept.
        host: what the clients call the server.
        connections: how many at a time.

    Attributes:
        answers: the last answer of each process, which names itself as ``"pid"``.
        requests: how many were answered.
        problems: failed requests, and what `check` said.
    """

    def __init__(
        self,
        port: int,
        check: Callable[[Any, Mapping[int, Any]], object] = lambda *_: None,
        newest: Callable[[Any], int] = lambda _: 0,
        host: str = "127.0.0.1",
        connections: int = 8,
    ) -> None:
        self.answers: dict[int, Any] = {}
        self.requests = 0
        self.problems: list[object] = []
        self._port = port
        self._check = check
        self._newest = newest
        self._host = host
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
            with self._lock:
                before = dict(self.answers)
            try:
                status, answer = ask(self._port, host=self._host)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.problems.append(repr(error))
                continue
            if status != 200 or answer is None:
                problem: object = f"status {status}, {answer}"
            else:
                problem = self._check(answer, before)
            with self._lock:
                self.requests += 1
                if problem:
                    self.problems.append(problem)
                if answer is not None:
                    kept = self.answers.setdefault(answer["pid"], answer)
                    if self._newest(answer) >= self._newest(kept):
                        self.answers[answer["pid"]] = answer
