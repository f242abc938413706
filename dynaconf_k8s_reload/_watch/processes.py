"""A fork: the child gets locks and a watch of its own, and leaves its parent's alone.

Before the fork, reloads that are under way are awaited, so that the child does not inherit a half
published one; but only for a moment, since what they wait for may be the forking thread.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any

from .._environ.mirror import MIRROR
from .._source import switch_interval
from .watcher import WATCHER

__all__ = ["ALL"]

WAIT_SECONDS = 1.0


ALL: weakref.WeakSet[Any] = weakref.WeakSet()  # the reloaders, which import this module

_held = threading.local()  # several threads may fork at once


def _before() -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    wanted = [*(reloader.lock for reloader in list(ALL)), WATCHER.lock]
    _held.locks = [
        lock for lock in wanted if lock.acquire(timeout=max(0.0, give_up - time.monotonic()))
    ]


def _after_in_parent() -> None:
    for lock in _held.__dict__.pop("locks", ()):
        lock.release()


def _after_in_child() -> None:
    _held.__dict__.pop("locks", None)
    switch_interval.restore()
    MIRROR.renew_lock()
    for reloader in list(ALL):
        reloader.renew_after_fork()
    WATCHER.after_fork()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
