"""Whose process this is: a forked child renews what it has inherited, at its first use.

An at-fork handler runs in every child, even one that is about to replace itself by a program. Under
gevent and eventlet, where `subprocess` forks in Python, a handler that waits, logs or starts a
thread makes the application's other greenlets run a second time, on their parent's sockets. So the
handlers here only mark. A fork that Python does not see (uWSGI's, a C extension's) marks nothing,
and is found by the process's number, which every call of the API compares.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

from .._model.clock import monotonic

WAIT_SECONDS = 1.0


class Renewed(Protocol):
    """What has locks and threads, which a forked child must not share with its parent."""

    def renew_after_fork(self) -> None:
        """Take fresh locks: threads that stayed behind in the parent may hold the old ones."""


class Published(Renewed, Protocol):
    """What also publishes something, which a fork must not find half done."""

    @property
    def publishing(self) -> threading.RLock:
        """Held during a fork, so never for long."""

    def mark_fork(self) -> None:
        """Note, in a child, that it has forked; do nothing that waits, logs or starts a thread."""


class _Renewal:
    """What one process still has to renew; an interruption, such as a time limit, puts it off."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.is_under_way = False
        self._left: list[Renewed] | None = None

    def go_on(self) -> None:
        """Renew what is left, each only once: a new thread may already use what was renewed."""
        if self._left is None:
            self._left = [*RENEWED_LAST, *RENEWED_AFTER_FORK]  # taken from its end
        self.is_under_way = True
        try:
            while self._left:
                self._left[-1].renew_after_fork()
                self._left.pop()
        finally:
            self.is_under_way = False


class _Ours:
    """What is true of the process that was renewed last."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        # By process: a lock that is inherited from the parent may be held for ever.
        self.renewals: dict[int, _Renewal] = {}


RENEWED_AFTER_FORK: weakref.WeakSet[Published] = weakref.WeakSet()  # each registers itself
RENEWED_LAST: weakref.WeakSet[Renewed] = weakref.WeakSet()  # watchers, which call the others

_ours = _Ours()
_held = threading.local()  # several threads may fork at once


def is_ours() -> bool:
    """Tell whether this process is the one that everything was last made for."""
    return _ours.pid == os.getpid()


def notice_fork() -> None:
    """Renew everything if this is another process, however it has come about; else do nothing."""
    pid = os.getpid()
    if pid == _ours.pid:
        return
    renewal = _ours.renewals.setdefault(pid, _Renewal())
    with renewal.lock:
        if pid == _ours.pid or renewal.is_under_way:
            return
        renewal.go_on()
        _ours.pid, _ours.renewals = pid, {}


def _before() -> None:
    give_up = monotonic() + WAIT_SECONDS
    _held.locks = [
        each.publishing
        for each in list(RENEWED_AFTER_FORK)
        if each.publishing.acquire(timeout=max(0.0, give_up - monotonic()))
    ]


def _after_in_parent() -> None:
    for lock in _held.__dict__.pop("locks", ()):
        lock.release()


def _after_in_child() -> None:
    _after_in_parent()
    for each in list(RENEWED_AFTER_FORK):
        each.mark_fork()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
