"""`Watch`: one reloader's mounts, compared with what it has read, and when to compare again.

Nothing here starts a thread or waits: that is the watcher's.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from .._model import clock
from .._source.fingerprint import Token, token
from .timing import Timing

NEVER = float("inf")
POLL_EVERY = 1.0
DEBOUNCES_AT_MOST = 10.0  # then a plain directory is read even though it is still being written
FILES = "files"  # stands for all files outside the paths
LOOK_AGAIN_FOR = 0.7  # seconds; in a plain directory watchdog may hold back half a move for 0.5 s
LOOK_AGAIN_AT_LEAST = 0.0005  # a volume's new directory is news some ms before the swap
LOOK_AGAIN_AT_MOST = 0.025
LOOK_AGAIN_AFTER = 0.25  # of the time since the first hint


class Watched(Protocol):
    """What reads the mounts and reloads; the watch does not keep it alive."""

    @property
    def seen(self) -> Sequence[Token]:
        """The tokens of what was read last, in the order of the watch's paths."""

    @property
    def files(self) -> tuple[Token, Token] | None:
        """How files outside the paths are, and were when read; ``None`` if not followed."""

    def changed(self) -> None:
        """Read again: a token differs. Called in the watching thread."""

    def looked(self) -> None:
        """The mounts have been compared; called in the watching thread, often."""


class Watch:
    """What one reloader wants watched.

    Attributes:
        paths: the mounts' directories.
        owner: a weak reference to who is told.
        resync: seconds between two comparisons when no event comes.
        debounce: seconds for which a plain directory must have been quiet.
        checked_at: when the tokens were last compared.
        looked: the same as seconds of `clock.monotonic`; at first, when the watch began.
        problem: why the last comparison failed; empty if it did not.
        removed: it is no longer compared.
        moved: the last comparison found a token that differs from the one before.
        follows_files: files outside the paths are compared too; no event tells of them.
        begun: set once its events have been armed, or could not be.
        lock: held while it is compared and its owner reloads.
    """

    def __init__(
        self,
        paths: Sequence[str],
        owner: weakref.ref[Watched],
        resync: float,
        debounce: float,
        timing: Timing | None = None,
    ) -> None:
        self.paths = paths
        self.owner = owner
        self.resync = resync
        self.debounce = debounce
        self.checked_at: datetime | None = None
        self.looked: float = clock.monotonic()
        self.problem = ""
        self.removed: bool = False
        self.moved: bool = False
        self.follows_files: bool = False
        self.begun: threading.Event = threading.Event()
        self.lock: threading.RLock = threading.RLock()
        self._last: dict[str, Token] = {}
        self._quiet: dict[str, tuple[Token, float, float]] = {}
        self._timing = timing or Timing()
        self._on_collection: Any = None

    @property
    def age(self) -> float:
        """The seconds since the last look."""
        return clock.monotonic() - self.looked

    @property
    def missed(self) -> list[str]:
        """The directories that are neither as they were at the last look nor as they were read."""
        owner, last = self.owner(), self._last
        seen = () if owner is None else owner.seen
        try:
            return [
                path
                for path, read in zip(self.paths, seen, strict=False)
                if path in last and token(path) not in (last[path], read)
            ]
        except MemoryError:  # the watching thread's comparison meets it too, and tells
            return []

    def compare(self, now: float) -> float:
        """Compare, reload if something differs, and give the time of the next look."""
        with self.lock:
            owner = self.owner()
            if owner is None or self.removed:
                return NEVER
            current = {path: token(path) for path in self.paths}
            files = owner.files
            self.checked_at, self.looked = clock.now(), clock.monotonic()
            self.moved = any(self._last.get(path, new) != new for path, new in current.items())
            self._last = current
            seen = owner.seen
            if len(seen) != len(self.paths):  # it is being configured, and will be watched anew
                return now + POLL_EVERY
            held = [(path, current[path]) for path in self.paths]
            self.follows_files = files is not None
            if files is not None:
                held.append((FILES, files[0]))
                seen = (*seen, files[1])
            due = [
                self._due(path, holds, now)
                for (path, holds), read in zip(held, seen, strict=True)
                if self._differs(path, holds, read)
            ]
            if due:
                due.append(self._timing.due(now, moved=self.moved))
            else:
                self._timing.done()
            if due and max(due) <= now:
                self._quiet.clear()
                self._timing.done()
                owner.changed()
                # What could not be read is tried again soon: nothing tells when it can be.
                unread = tuple(owner.seen) != tuple(current.values())
                return now + POLL_EVERY if unread else NEVER
            return max(due, default=NEVER)

    def renew(self, hint: Callable[[], object]) -> None:
        """Begin anew, for a new thread.

        Args:
            hint: called once the owner has been collected, by the garbage collector.
        """
        self.lock, self.begun = threading.RLock(), threading.Event()
        self._last, self._quiet, self.looked = {}, {}, clock.monotonic()
        self._timing.done()
        owner = self.owner()
        if owner is not None:
            self._on_collection = weakref.ref(owner, lambda _: hint())

    def _differs(self, path: str, current: Token, seen: Token) -> bool:
        if current == seen:
            self._quiet.pop(path, None)
        return current != seen

    def _due(self, path: str, current: Token, now: float) -> float:
        differing, since, first = self._quiet.get(path, (current, now, now))
        if differing != current:
            since = now
        self._quiet[path] = (current, since, first)
        debounce = self.debounce if current.is_plain else 0.0
        return min(since + debounce, first + debounce * DEBOUNCES_AT_MOST)


class Backoff:
    """Tells when to look again after an event: soon at first, since a writer is likely at work.

    Args:
        lasting: for how many seconds after the last event.
    """

    def __init__(self, lasting: float = LOOK_AGAIN_FOR) -> None:
        self._lasting = lasting
        self._since = 0.0
        self._until = 0.0

    def again(self, now: float, *, hinted: bool) -> float:
        """Give the time of the next look, `NEVER` if the last event is long ago."""
        if hinted:
            if now >= self._until:  # further events prolong the looks, but do not hasten them
                self._since = now
            self._until = now + self._lasting
        if now >= self._until:
            return NEVER
        pause = (now - self._since) * LOOK_AGAIN_AFTER
        return now + min(max(pause, LOOK_AGAIN_AT_LEAST), LOOK_AGAIN_AT_MOST)
