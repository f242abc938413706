"""Many processes that follow one mount, each telling when it applied a change.

Arguments: the directory, how many processes, ``k8s_jitter``. It prints a line when all of them
follow and, after the change, a JSON list of the times by the system's monotonic clock.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time

from dynaconf_k8s_reload import get_reloader
from support import make_settings


def follow(directory: str, jitter: float, ready: int, done: int) -> None:
    """Be one of the processes."""
    random.seed(0)  # as an application may, in each of its workers
    settings = make_settings(directory, k8s_jitter=jitter)
    reloader = get_reloader(settings)
    applied = threading.Event()
    times: list[float] = []

    def note(_: object) -> None:
        times.append(time.monotonic())
        applied.set()

    reloader.on_change()(note)
    os.write(ready, b".")
    applied.wait(60)
    os.write(done, f"{times[0]}\n".encode())
    os._exit(0)


def main() -> None:
    """Start them all, and collect what they tell."""
    directory, count, jitter = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    ready_here, ready = os.pipe()
    done_here, done = os.pipe()
    for _ in range(count):
        if not os.fork():
            follow(directory, jitter, ready, done)
    os.close(done)
    for _ in range(count):
        os.read(ready_here, 1)
    print("ready", flush=True)
    with os.fdopen(done_here) as lines:
        print(json.dumps([float(line) for line in lines]))
    for _ in range(count):
        os.wait()


if __name__ == "__main__":
    main()
