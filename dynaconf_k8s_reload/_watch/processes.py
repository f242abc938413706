"""A fork: the child gets locks and a watch of its own, and leaves its parent's alone.

Before the fork, reloads that are under way are awaited, so that the child does not inherit a half
published one; but only for a moment, since what they wait for may be the forking thread.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

from .._model.clock import monotonic
from .watcher import WATCHER

WAIT_SECONDS = 1.0


class Renewed(Protocol):
    """What has locks and threads, which a forked child must not share with its parent."""

    @property
    def lock(self) -> threading.RLock:
        """Held during a fork, so that nothing is half done in the child."""

    def renew_after_fork(self) -> None:
        """Take fresh locks: threads that stayed behind in the parent may hold the old ones."""


RENEWED_AFTER_FORK: weakref.WeakSet[Renewed] = weakref.WeakSet()  # each registers itself

_held = threading.local()  # several threads may fork at once


def _everybody() -> list[Renewed]:
    """The watcher comes last: reloaders hold their locks while they call it, never the reverse."""
    return [*RENEWED_AFTER_FORK, WATCHER]


def _before() -> None:
    give_up = monotonic() + WAIT_SECONDS
    _held.locks = [
        each.lock
        for each in _everybody()
        if each.lock.acquire(timeout=max(0.0, give_up - monotonic()))
    ]


def _after_in_parent() -> None:
    for lock in _held.__dict__.pop("locks", ()):
        lock.release()


def _after_in_child() -> None:
    _held.__dict__.pop("locks", None)
    for each in _everybody():
        each.renew_after_fork()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
