"""Events of the file system, from an observer that is checked, replaced, and never trusted."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .._model.clock import monotonic
from .._model.log import log
from .._source.fingerprint import token
from .greenlets import patched_by
from .observer import (
    Handler,
    close_what_is_never_read,
    describe,
    import_watchdog,
    leave_out_half_moves,
    release,
    stop,
)

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver


RETRY_AT_FIRST = 1.0
RETRY_AT_MOST = 30.0

Identity = tuple[int, ...]

_abandoned: list[Any] = []  # a parent's observers, which must not be collected in the child


class Events:
    """Gives a hint when something happens in one of a set of directories.

    Make it in the thread that adds a watch: after a fork while another thread imports watchdog, the
    child would wait for that import for ever.

    Args:
        hint: called in watchdog's thread; must neither block nor raise.
        clock: gives the time in seconds.

    Attributes:
        problem: why no events come, and what is done instead; empty while they do.
    """

    def __init__(
        self, hint: Callable[[], object], *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._clock = clock
        self._handler: Any = Handler(hint)
        self._observer: BaseObserver | None = None
        self._armed: dict[str, Identity] = {}
        self._armed_at = 0.0
        self._retry_at = 0.0
        self._retry_after = RETRY_AT_FIRST
        self.problem = ""
        if not patched_by():
            with contextlib.suppress(Exception):  # `keep` meets it again, and reports it
                import_watchdog()

    def covers(self, path: str) -> bool:
        """Tell whether events come for this directory, as it is now."""
        return self._alive() and self._armed.get(path) == _identity(path) != ()

    def keep(self, paths: Iterable[str]) -> float:
        """Arm what is not armed, replace what is dead; give the time of the next attempt."""
        try:
            return self._keep(paths)
        except Exception as error:  # noqa: BLE001 -- because without events there is still polling
            problem, now = describe(error), self._clock()
            return self._failed(problem, now) if problem else now + RETRY_AT_FIRST

    def _keep(self, paths: Iterable[str]) -> float:
        now = self._clock()
        wanted = {path: _identity(path) for path in paths}
        present = {path: identity for path, identity in wanted.items() if identity}
        alive = self._alive()
        if alive and self._armed == present:
            if now > self._armed_at + RETRY_AT_MOST:
                self._retry_after = RETRY_AT_FIRST
            return float("inf")
        if self.problem and now < self._retry_at:
            return self._retry_at
        died = self._observer is not None and not alive
        self.drop()
        if not present:
            return float("inf")
        if died and now < self._armed_at + RETRY_AT_FIRST:
            return self._failed("watchdog's threads end at once", now)
        problem = self._arm(present)
        if problem:
            return self._failed(problem, now)
        self._recovered(now)
        return float("inf")

    def drop(self) -> None:
        """Stop the observer, if any, in another thread: it can take watchdog half a second.

        The next `keep` makes a new one.
        """
        observer, self._observer, self._armed = self._observer, None, {}
        if observer is None:
            return
        try:
            threading.Thread(
                target=stop, args=(observer,), name="k8s-reload-close", daemon=True
            ).start()
        except (RuntimeError, MemoryError):  # no more threads can be started
            stop(observer)

    def close(self) -> None:
        """Stop the observer, if any, and wait for its threads."""
        observer, self._observer, self._armed = self._observer, None, {}
        if observer is not None:
            stop(observer)

    def abandon(self) -> None:
        """Let go of a parent's observer in a forked child: stopping it would end the parent's."""
        _abandoned.append(self._observer)
        self._observer, self._armed = None, {}

    def _alive(self) -> bool:
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in list(observer.emitters))
        )

    def _arm(self, present: dict[str, Identity]) -> str:
        patched = patched_by()
        if patched:
            return f"watchdog cannot run under {patched}"
        try:
            make, news = import_watchdog()
            self._observer = observer = make()
            for path in present:
                plain = token(path).is_plain
                observer.schedule(
                    self._handler, os.path.realpath(path), recursive=plain, event_filter=news
                )
            leave_out_half_moves(observer)
            close_what_is_never_read(observer)
            observer.start()
        except Exception as error:  # noqa: BLE001 -- because without events there is still polling
            release(error)
            self.drop()
            return describe(error)
        self._armed = present
        return ""

    def _failed(self, problem: str, now: float) -> float:
        message = f"no events ({problem}); the mounts are compared every second instead"
        if not self.problem:
            log.warning("%s", message)
        self.problem = message
        self._retry_at = now + self._retry_after
        self._retry_after = min(2 * self._retry_after, RETRY_AT_MOST)
        return self._retry_at

    def _recovered(self, now: float) -> None:
        if self.problem and self._observer is not None:
            log.info("events come again; polling has ended")
            self.problem = ""
        self._armed_at = now


def _identity(path: str) -> Identity:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    readable = os.access(path, os.R_OK | os.X_OK)
    return (status.st_dev, status.st_ino) if readable else ()
