"""Servers and workers of every kind, each on the program `matrix`, and what is seen of each."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from applications import PROGRAMS
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import ask
from support import eventually

SWAPS = 5
QUIET = 2.0  # seconds between two swaps, at least
END_SECONDS = 20.0  # gunicorn kills after 30 what has not ended by itself
REST = 3.0  # seconds: gunicorn's greenlets look each second whether they are to end
CLIENTS = 4


@dataclass(frozen=True)
class Cell:
    """One way to run the application.

    Attributes:
        name: shown in the table.
        command: what to run; ``{port}`` stands for the port, if it serves one.
        processes: how many answer, at least.
        module: what must be installed.
        recycles: its processes end and are replaced.
        sample: an ordinary run takes it, too.
        clients: another program that keeps asking.
    """

    name: str
    command: Sequence[str]
    processes: int
    module: str = ""
    recycles: bool = False
    sample: bool = False
    clients: Sequence[str] = ()

    @property
    def serves(self) -> bool:
        """It answers by HTTP."""
        return any("{port}" in word for word in self.command)

    @property
    def missing(self) -> str:
        """What is not installed here; empty if nothing is missing."""
        if self.module and importlib.util.find_spec(self.module) is None:
            return self.module
        if "eventlet" in self.command:  # gunicorn has had no worker for it since 26
            workers = importlib.import_module("gunicorn.workers").SUPPORTED_WORKERS
            if "eventlet" not in workers:
                return "gunicorn's worker for eventlet"
        return "" if shutil.which(self.words(1)[0]) else self.command[0]

    def words(self, port: int) -> list[str]:
        """Give the command line."""
        first, *rest = (word.format(port=port) for word in self.command)
        beside = Path(sys.executable).parent / first
        return [str(beside) if beside.exists() else first, *rest]


def python(*words: str) -> tuple[str, ...]:
    return (sys.executable, *words)


def _gunicorn() -> Iterator[Cell]:
    for kind in ("sync", "gthread", "gevent", "eventlet"):  # up to 25 it has eventlet
        for preload in (False, True):
            yield Cell(
                f"gunicorn, {kind}{', --preload' if preload else ''}",
                python(
                    *("-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}"),
                    *("--worker-class", kind),
                    *(["--no-control-socket"] if kind != "eventlet" else []),  # newer than that
                    *(["--threads", "2"] if kind == "gthread" else []),
                    *(["--preload"] if preload else []),
                    *("--max-requests", "150", "matrix:application"),
                ),
                2,
                module="gunicorn" if kind in ("sync", "gthread") else kind,
                recycles=True,
                sample=preload and kind in ("sync", "gevent"),
            )


def _uwsgi() -> Iterator[Cell]:
    usual = ("--master", "--processes", "2")
    for name, options, sample in (
        ("as it is by default", usual, True),
        ("--enable-threads", (*usual, "--enable-threads"), False),
        ("--lazy-apps", (*usual, "--lazy-apps"), False),
        ("--py-call-uwsgi-fork-hooks", (*usual, "--py-call-uwsgi-fork-hooks"), False),
        ("--max-requests", (*usual, "--max-requests", "100"), False),
        ("no master", (), False),
    ):
        yield Cell(
            f"uWSGI, {name}",
            (
                *("uwsgi", "--die-on-term", "--http-socket", "127.0.0.1:{port}", *options),
                *("--module", "matrix:application", "--listen", "64"),
            ),
            2 if options else 1,
            recycles="--max-requests" in options,
            sample=sample,
        )


CELLS = (
    *_gunicorn(),
    *_uwsgi(),
    Cell(
        "uvicorn, --workers",
        python("-m", "uvicorn", "--port", "{port}", "--workers", "2", "matrix:asgi"),
        2,
        module="uvicorn",
        sample=True,
    ),
    Cell(
        "hypercorn, --workers",
        python("-m", "hypercorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "matrix:asgi"),
        2,
        module="hypercorn",
    ),
    Cell(
        "granian, --workers",
        python(
            *("-m", "granian", "--port", "{port}", "--workers", "2", "--interface", "wsgi"),
            "matrix:application",
        ),
        2,
        module="granian",
    ),
    Cell(
        "waitress",
        python("-m", "waitress", "--listen", "127.0.0.1:{port}", "matrix:application"),
        1,
        module="waitress",
    ),
    *(
        Cell(
            f"Celery, {pool}",
            python(
                *("-m", "celery", "-A", "matrix_celery", "worker", "--pool", pool),
                *("--concurrency", "2", "--loglevel", "WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                *(["--max-tasks-per-child", "50"] if pool == "prefork" else []),
            ),
            2 if pool == "prefork" else 1,
            module="celery",
            recycles=pool == "prefork",
            sample=pool == "prefork",
            clients=python("-m", "matrix_celery"),
        )
        for pool in ("prefork", "threads", "gevent")
    ),
    *(
        Cell(
            f"{'a fork in C' if method == 'c' else f'multiprocessing, {method}'}",
            python("-m", "matrix_processes", method, "2", "600"),
            3,
            sample=method in ("fork", "c"),
        )
        for method in ("fork", "spawn", "forkserver", "c")
    ),
)


@dataclass
class Seen:
    """What was seen of a cell.

    Attributes:
        answers: each with the time at which it was asked for.
        failures: requests that were not answered.
        swaps: number to the time at which it was written.
        jobs: the names of the jobs that ran.
        unhealthy: answers of a probe that found its process not healthy.
        ended_in: seconds from SIGTERM to the end.
    """

    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    swaps: dict[int, float] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    unhealthy: list[Any] = field(default_factory=list)
    ended_in: float = 0.0

    @property
    def pids(self) -> set[int]:
        return {answer["pid"] for answer in self.answers}

    def behind(self, number: int) -> list[dict[str, Any]]:
        """Give the last answers of the living processes that have not followed a swap yet."""
        last = {each["pid"]: each for each in self.answers if each["began"] > self.swaps[number]}
        return [
            answer
            for pid, answer in last.items()
            if served(answer) < number and Path(f"/proc/{pid}").exists()
        ]

    def back(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Give each answer that began after its process had given a newer one, with that one."""
        newest: dict[int, dict[str, Any]] = {}
        found = []
        for answer in sorted(self.answers, key=lambda each: float(each["began"])):
            before = newest.setdefault(answer["pid"], answer)
            if served(answer) >= served(before):
                newest[answer["pid"]] = answer
            elif answer["began"] > before["read"]:
                found.append((answer, before))
        return found

    def slowest(self) -> float:
        """Give the longest time for which a process still answered with the content before."""
        return max(
            (
                answer["began"] - written
                for answer in self.answers
                for number, written in self.swaps.items()
                if answer["began"] > written and served(answer) < number
            ),
            default=0.0,
        )


def served(answer: dict[str, Any]) -> int:
    """Give the number that both the setting and the variable have reached."""
    return min(int(answer["number"]), int(answer["variable"]))


def run(cell: Cell, directory: Path, *, plain: bool = False) -> Seen:
    """Run a cell while its mount is swapped, and give what was seen."""
    directory.mkdir()
    volume = AtomicWriter(directory / "config")
    volume.write({"NUMBER": "0"})
    seen, done = Seen(), threading.Event()
    with _running(cell, directory, plain=plain) as (process, port, helpers):
        clients = [
            threading.Thread(target=_client, args=(port, seen, done, plain, number))
            for number in range(CLIENTS if cell.serves else 0)
        ]
        for client in clients:
            client.start()
        try:
            _wait_for_answers(cell, directory, seen, process, cell.processes)
            seen.failures.clear()  # those before it listened
            for number in range(1, SWAPS + 1):
                volume.write({"NUMBER": str(number)})
                seen.swaps[number] = time.monotonic()
                threading.Event().wait(QUIET)
                if not plain:
                    _wait_until_followed(cell, directory, seen, number)
            if cell.recycles:  # a busy machine answers fewer requests in this time
                _wait_for_answers(cell, directory, seen, process, cell.processes + 1)
        finally:
            done.set()
            for client in clients:
                client.join()
            for helper in helpers:
                helper.kill()
                helper.wait()
        if cell.recycles:  # a worker that is being started misses the signal, whatever it loads
            _wait_until_at_rest(process.pid)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):  # it is killed at the end
            process.wait(30)
        seen.ended_in = time.monotonic() - started
    _read_results(directory, seen)
    seen.jobs = (directory / "jobs").read_text().split()
    return seen


@contextmanager
def _running(
    cell: Cell, directory: Path, *, plain: bool
) -> Iterator[tuple[subprocess.Popen[bytes], int, list[subprocess.Popen[bytes]]]]:
    for name in ("queue", "control"):
        (directory / name).mkdir()
    for name in ("jobs", "results"):
        (directory / name).touch()
    environment = {
        **os.environ,
        "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(directory / "config")]),
        "PYTHONPATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")]),
        "PYTHONWARNINGS": "ignore",
        # gevent looks at every object when it patches late, Django's settings among them.
        "DJANGO_SETTINGS_MODULE": "django.conf.global_settings",
        "JOBS": str(directory / "jobs"),
        "RESULTS": str(directory / "results"),
        "BROKER": str(directory),
        **({"PLAIN": "1"} if plain else {}),
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            cell.words(port), env=environment, stdout=log, stderr=log, start_new_session=True
        )
        helpers = [
            subprocess.Popen(words, env=environment, stdout=log, stderr=log)
            for words in [cell.clients]
            if words
        ]
        try:
            yield process, port, helpers
        finally:
            for each in helpers:
                each.kill()
                each.wait()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


def _wait_for_answers(
    cell: Cell, directory: Path, seen: Seen, process: subprocess.Popen[bytes], processes: int
) -> None:
    def ready() -> bool:
        assert process.poll() is None, (directory / "log").read_text()
        if not cell.serves:
            _read_results(directory, seen)
        return len(seen.pids) >= processes

    eventually(ready, seconds=60, else_show=lambda: (directory / "log").read_text()[-3000:])


def _wait_until_followed(cell: Cell, directory: Path, seen: Seen, number: int) -> None:
    def followed() -> bool:
        if not cell.serves:
            _read_results(directory, seen)
        return seen.behind(number) == []

    eventually(
        followed,
        seconds=30,  # a process that is behind may have to wait for its next request
        else_show=lambda: (seen.behind(number), (directory / "log").read_text()[-3000:]),
    )


def _wait_until_at_rest(pid: int) -> None:
    """Wait until no child begins, ends or works: a moment at least, but not for ever."""
    for _ in range(20):
        before = _processor_seconds(pid)
        threading.Event().wait(REST)
        after = _processor_seconds(pid)
        if before.keys() == after.keys() and all(
            after[child] - used < REST / 20 for child, used in before.items()
        ):
            return


def _processor_seconds(pid: int) -> dict[str, float]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    used = {}
    for child in children:
        with suppress(OSError):  # it has ended
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            used[child] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def _read_results(directory: Path, seen: Seen) -> None:
    lines = (directory / "results").read_text().splitlines()
    if lines:
        seen.answers = [json.loads(line) for line in lines if line.endswith("}")]


def _client(port: int, seen: Seen, done: threading.Event, plain: bool, number: int) -> None:
    count = number
    while not done.is_set():
        count += 1
        path = "/" if plain or count % 20 else "/health"
        began = time.monotonic()
        try:
            status, answer = ask(port, path)
        except Exception as error:  # such as of a connection that a worker's end has cut
            seen.failures.append(f"{path}: {error!r}")
            done.wait(0.05)
            continue
        if status != 200:
            seen.failures.append(f"{path}: {status}")
        elif path == "/":
            seen.answers.append({**answer, "began": began})
        elif not answer["healthy"]:
            seen.unhealthy.append(answer)
