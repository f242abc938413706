"""What a process publishes of itself in memory, and how another one reads it: no port, no file.

Each process keeps its status in a ``memfd``, which others of the same user find in ``/proc/PID/fd``
(memfd_create(2), proc_pid_fd(5)). It is JSON without values, and names its process: a child that
has forked in C still holds its parent's, which says nothing of the child. Only the standard library
is needed here, so that a probe is quick.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

from .clock import monotonic

NAME = "dynaconf-k8s-reload"
PROC = "/proc"
HUNG_SECONDS = 30.0  # a reload that has been under way for longer makes the process unhealthy
ATTEMPTS = 20  # a process may be writing while we read
LARGEST = 64 * 1024 * 1024  # bytes; no status is as large

Json = dict[str, Any]


def running(label: str, seconds: float) -> str:
    """Begin the sentence of a reload that takes long; whoever reads it later counts on."""
    return f"a reload of {label} has been running for {seconds:.0f} s"


_RUNNING = r"(a reload of .* has been running for )\d+( s)"


def encode(pid: int, entries: list[str]) -> bytes:
    """Make the content of a process's memory file.

    Args:
        pid: the process.
        entries: what `entry` gave for each of its settings objects.
    """
    return f'{{"pid": {pid}, "objects": [{", ".join(entries)}]}}\n'.encode()


def entry(status: Json, *, looked: float | None, limit: float, busy: float | None) -> str:
    """Make what is published of one settings object.

    Args:
        status: `Status.as_dict`.
        looked: when its mounts were last compared, in seconds of `clock.monotonic`; ``None`` where
            it does not watch by choice.
        limit: within how many seconds they are to be compared again.
        busy: since when a reload has been under way, in the same seconds; ``None`` if none is.
    """
    return json.dumps({"looked": looked, "limit": limit, "busy": busy, "status": status})


def processes() -> list[int]:
    """Give the processes that publish a status and may be looked into."""
    found = []
    for name in os.listdir(PROC):
        if name.isdecimal():
            try:
                if next(_files(int(name)), None) is not None:
                    found.append(int(name))
            except OSError:  # it has ended, or is another user's
                continue
    return sorted(found)


def statuses(pid: int) -> list[Json]:
    """Give the status of each settings object of a process, as it is now; empty if it has none.

    Raises:
        OSError: there is no such process, or it is another user's.
        Exception: what it publishes is not a status, and so cannot be taken apart.
    """
    inherited: list[Json] = []
    for path in _files(pid):
        content = _read(path)
        if content is not None and content["pid"] in (pid, _own_number(pid)):
            return [_judged(each) for each in content["objects"]]
        if content is not None:
            inherited = [_not_followed(each["status"], pid) for each in content["objects"]]
    return inherited


def _own_number(pid: int) -> int:
    """Give what a process calls itself: in a container, seen from outside, something else.

    Of all its numbers the innermost namespace's comes last (``NSpid`` in proc_pid_status(5)).
    """
    with open(os.path.join(PROC, str(pid), "status"), "rb") as file:
        return next((int(line.split()[-1]) for line in file if line.startswith(b"NSpid:")), pid)


def _files(pid: int) -> Iterator[str]:
    directory = os.path.join(PROC, str(pid), "fd")
    for number in os.listdir(directory):
        path = os.path.join(directory, number)
        try:
            target = os.readlink(path)
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith(f"/memfd:{NAME} "):
            yield path


def _read(path: str) -> Json | None:
    for _ in range(ATTEMPTS):
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size > LARGEST:
                    return None
                content: Json = json.loads(file.read())
        except FileNotFoundError:  # closed meanwhile
            return None
        except ValueError:
            time.sleep(0.001)  # its process is writing it
        else:
            return content
    return None


def _judged(published: Json) -> Json:
    """Add what has happened to a status since it was written: nothing, for too long."""
    status: Json = published["status"]
    looked, busy, limit = published["looked"], published["busy"], published["limit"]
    age = 0.0 if looked is None else monotonic() - looked
    if age > limit:
        problem = (
            f"the mounts have not been compared for {age:.0f} s, although they should be every "
            f"{limit:.0f}; restart the process"
        )
        status = {**status, "healthy": False, "problems": [*status["problems"], problem]}
    if busy is not None:
        seconds = monotonic() - busy
        problems = [re.sub(_RUNNING, rf"\g<1>{seconds:.0f}\2", each) for each in status["problems"]]
        healthy = status["healthy"] and seconds <= HUNG_SECONDS
        status = {**status, "healthy": healthy, "problems": problems}
    return status


def _not_followed(status: Json, pid: int) -> Json:
    problem = (
        f"process {pid} is not followed: it has forked from process {status['pid']} in a way that "
        "Python does not see; have it call get_reloader(settings).status()"
    )
    return {
        **status,
        "pid": pid,
        "watching": "off",
        "checked_at": None,
        "busy_since": None,
        "problems": [problem],
        "healthy": False,
    }
