"""`Hints`: what wakes a thread of ours, the watching one, the notifier's or that of the metrics."""

from __future__ import annotations

import contextlib
import queue

from .greenlets import simple_queue

SLEEP_AT_MOST = 3600.0


class Hints:
    """Wakes one thread; any other may give a hint, and so may the garbage collector."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()  # the one with reentrant `put`

    def begin(self) -> None:
        """Prepare for a thread that starts now: gevent may have replaced threads and queues."""
        self._queue = simple_queue()

    def give(self) -> None:
        """Wake the thread."""
        self._queue.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait for a hint, take all there are, and tell whether there was one."""
        # Never wait on a queue that has not been seen empty: CPython 3.10 takes the lock of a new
        # one, and then waits for ever if the time is up already (Modules/_queuemodule.c).
        if self._take():
            return True
        if seconds <= 0:
            return False
        try:
            self._queue.get(timeout=min(seconds, SLEEP_AT_MOST))
        except queue.Empty:
            return False
        self._take()
        return True

    def _take(self) -> bool:
        taken = False
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
                taken = True
        return taken
