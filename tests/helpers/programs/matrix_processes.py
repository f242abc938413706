"""`matrix` in processes of multiprocessing, or forked in C as an extension might.

Arguments: the method (fork, spawn, forkserver or c), how many processes, and for how many seconds.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from typing import Any

import matrix  # type: ignore[import-not-found] # reason: it lies beside this program

QUIET = 0.5  # seconds; a watch that polls looks every second


def forked_in_c(seconds: float) -> int:
    """Fork without Python noticing; the child first asks its reloader for a snapshot.

    Not while another thread wants the interpreter's lock: CPython's child would never get it.
    """
    from dynaconf_k8s_reload._watch import WATCHER

    while (watching := WATCHER._session) and watching._wake < time.monotonic() + QUIET:
        time.sleep(0.01)  # nothing tells when no look is due
    time.sleep(QUIET / 2)  # and the thread waits
    pid = int(ctypes.PyDLL(None).fork())
    if pid == 0:
        from dynaconf_k8s_reload import get_reloader

        get_reloader(matrix.settings).snapshot()
        matrix.work(os.environ["RESULTS"], seconds)
        os._exit(0)
    return pid


def main() -> None:
    """Start the processes, and end them when told to."""
    method, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    if method == "c":
        pids = [forked_in_c(seconds) for _ in range(count)]
    else:
        context: Any = multiprocessing.get_context(method)
        started = [
            context.Process(target=matrix.work, args=(os.environ["RESULTS"], seconds), daemon=True)
            for _ in range(count)
        ]
        for process in started:
            process.start()
        pids = [process.pid for process in started]

    def end(*_: object) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    matrix.work(os.environ["RESULTS"], seconds)


if __name__ == "__main__":
    main()
