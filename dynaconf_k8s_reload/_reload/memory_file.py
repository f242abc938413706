"""The process's status, kept in memory for ``dynaconf-k8s-reload status``."""

from __future__ import annotations

import contextlib
import os
import threading

from .._model.clock import monotonic
from .._model.published import NAME, encode, entry
from .._watch import Watch, Watcher
from .health import Health

SECONDS = 5.0  # an idle process writes no more often
AT_ONCE_SECONDS = 0.1  # nor one whose mounts change without a pause


class MemoryFile:
    """Holds what each settings object of this process publishes.

    It never waits: a signal handler or the garbage collector may come in the middle of a write, and
    whoever writes then writes for both.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._entries: dict[int, str] = {}
        self._descriptor = -1
        self._identity: tuple[int, int] = (0, 0)
        self._size = 0
        self._lock = threading.Lock()
        self._due = False

    def put(self, key: int, text: str) -> None:
        """Publish what `entry` gave for one settings object."""
        self._notice_fork()
        self._entries[key] = text
        self._write()

    def drop(self, key: int) -> None:
        """Publish nothing more of a settings object."""
        self._notice_fork()
        self._entries.pop(key, None)
        self._write()

    def abandon(self) -> None:
        """Let go, in a forked child, of what is the parent's."""
        self._pid, self._lock, self._entries = os.getpid(), threading.Lock(), {}
        self._close()

    def _notice_fork(self) -> None:
        if self._pid != os.getpid():  # Python did not see it
            self.abandon()

    def _write(self) -> None:
        self._due = True
        while self._due and self._lock.acquire(blocking=False):
            try:
                self._due = False
                self._write_out(encode(os.getpid(), list(self._entries.values())))
            except OSError:  # no descriptor or no memory is left, or the system does not allow it
                self._close()
            finally:
                self._lock.release()

    def _write_out(self, content: bytes) -> None:
        if not self._entries:
            self._close()
            return
        if self._descriptor == -1 or not self._is_ours():
            # Other systems, and some sandboxes, do not have it.
            if not hasattr(os, "memfd_create"):
                return
            self._descriptor, self._size = os.memfd_create(NAME), 0
            self._identity = _identity(self._descriptor)
        # Blanks in place of a shorter end: a reader finds one text or the other.
        os.pwrite(self._descriptor, content.ljust(self._size), 0)
        self._size = max(self._size, len(content))

    def _close(self) -> None:
        is_ours = self._descriptor != -1 and self._is_ours()
        descriptor, self._descriptor = self._descriptor, -1
        if is_ours:
            os.close(descriptor)

    def _is_ours(self) -> bool:
        """Tell whether the number still names our file: a daemon closes all that it has open."""
        try:
            return _identity(self._descriptor) == self._identity
        except OSError:
            return False


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


MEMORY_FILE = MemoryFile()


class StatusEntry:
    """One reloader's part of the process's file.

    Args:
        key: names the reloader.
        health: tells the status.
        watcher: watches for it.
    """

    def __init__(self, key: int, health: Health, watcher: Watcher) -> None:
        self._key = key
        self._health = health
        self._watcher = watcher
        self._written_at = 0.0
        self._is_shown = False
        self._written: tuple[object, ...] = ()

    def write(self, watch: Watch | None) -> None:
        """Publish the status as it is now."""
        self._is_shown = True
        self._write(watch)

    def renew(self, watch: Watch | None) -> None:
        """Publish the status as it is now if it is published at all, in a forked child too."""
        if self._is_shown:
            self._write(watch)

    def withdraw(self) -> None:
        """Publish nothing until something is written again."""
        self._is_shown = False
        MEMORY_FILE.drop(self._key)

    def looked(self, watch: Watch | None) -> None:
        """Publish the status after a look, unless nothing has changed lately."""
        age, state = monotonic() - self._written_at, self._state(watch)
        # Once events are armed, the next look may come as late as the resync.
        is_armed_anew = state[:1] != self._written[:1]
        is_due = age >= SECONDS or is_armed_anew
        if self._is_shown and (is_due or (age >= AT_ONCE_SECONDS and state != self._written)):
            self._write(watch)

    def _write(self, watch: Watch | None) -> None:
        state: tuple[object, ...] = ()
        # Once more if another thread published something newer meanwhile: this may have hidden it.
        while state != (now := self._state(watch)):
            state = now
            self._put(watch, state)
        if not self._is_shown:  # another thread has withdrawn it meanwhile
            MEMORY_FILE.drop(self._key)

    def _put(self, watch: Watch | None, state: tuple[object, ...]) -> None:
        self._written_at, self._written = monotonic(), state
        # It is for others to read, so no failure of it may disturb this process.
        with contextlib.suppress(Exception):
            status = self._health.status(watch).as_dict()
            looked = None if watch is None else watch.looked
            limit = 0.0 if watch is None else self._health.limit(watch)
            busy = self._health.busy_since
            MEMORY_FILE.put(self._key, entry(status, looked=looked, limit=limit, busy=busy))

    def _state(self, watch: Watch | None) -> tuple[object, ...]:
        return (self._watcher.mode(watch), *self._health.marks)
