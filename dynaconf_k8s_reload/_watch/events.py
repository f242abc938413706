"""Events of the file system: watchdog's observer, which is checked, replaced, and never trusted."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .._model.clock import monotonic
from .._model.log import log
from .._source.fingerprint import token

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver


RETRY_AT_FIRST = 1.0
RETRY_AT_MOST = 30.0

Identity = tuple[int, ...]

# The kernel is not asked about reads, so that they do not even wake a thread. watchdog reports the
# end of a write as a modified directory.
_NEWS = [
    f"{what}{how}Event"
    for what in ("Dir", "File")
    for how in ("Created", "Deleted", "Modified", "Moved", "Attrib")
]

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
        self._handler: Any = _Handler(hint)
        self._observer: BaseObserver | None = None
        self._armed: dict[str, Identity] = {}
        self._armed_at = 0.0
        self._retry_at = 0.0
        self._retry_after = RETRY_AT_FIRST
        self.problem = ""
        if not patched_by():
            with contextlib.suppress(Exception):  # `keep` meets it again, and reports it
                _import()

    def covers(self, path: str) -> bool:
        """Tell whether events come for this directory, as it is now."""
        return self._observer is not None and self._armed.get(path) == _identity(path) != ()

    def keep(self, paths: Iterable[str]) -> float:
        """Arm what is not armed, replace what is dead; give the time of the next attempt."""
        try:
            return self._keep(paths)
        except Exception as error:  # noqa: BLE001 -- because without events there is still polling
            problem, now = _describe(error), self._clock()
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
        closer = threading.Thread(
            target=_stop, args=(observer,), name="k8s-reload-close", daemon=True
        )
        try:
            closer.start()
        except RuntimeError:  # no more threads can be started
            _stop(observer)

    def close(self) -> None:
        """Stop the observer, if any, and wait for its threads."""
        observer, self._observer, self._armed = self._observer, None, {}
        if observer is not None:
            _stop(observer)

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
            make, news = _import()
            self._observer = observer = make()
            for path in present:
                plain = token(path).is_plain
                observer.schedule(
                    self._handler, os.path.realpath(path), recursive=plain, event_filter=news
                )
            observer.start()
        except Exception as error:  # noqa: BLE001 -- because without events there is still polling
            _release(error)
            self.drop()
            return _describe(error)
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


class _Handler:  # not derived from watchdog's class, since watchdog may fail to import
    """Turns every event into a hint: the comparison finds out what happened."""

    def __init__(self, hint: Callable[[], object]) -> None:
        self._hint = hint

    def dispatch(self, event: Any) -> None:  # noqa: ARG002 -- because watchdog passes it
        """Take an event from watchdog."""
        self._hint()


_LIMITS = {
    errno.EMFILE: "no inotify instance is left, see fs.inotify.max_user_instances",
    errno.ENOSPC: "no inotify watch is left, see fs.inotify.max_user_watches",
}


def _describe(error: Exception) -> str:
    """Say what keeps events away; an empty string if there is nothing to report."""
    if isinstance(error, ImportError):
        return "watchdog cannot be imported"
    if isinstance(error, FileNotFoundError):  # it has just gone: wait for it as for an absent one
        return ""
    if "interpreter shutdown" in str(error):  # since Python 3.12 no thread starts then
        return ""
    described = f"watchdog failed ({type(error).__name__})"
    return _LIMITS.get(error.errno or 0, described) if isinstance(error, OSError) else described


def _import() -> tuple[Callable[[], BaseObserver], list[Any]]:
    observers = importlib.import_module("watchdog.observers")
    events = importlib.import_module("watchdog.events")
    if observers.Observer.__name__ == "PollingObserver":
        raise ImportError  # it lists every file each second; a comparison only reads a link
    return observers.Observer, [getattr(events, name) for name in _NEWS if hasattr(events, name)]


def _stop(observer: BaseObserver) -> None:
    """Stop an observer, even one that never started or has died."""
    with contextlib.suppress(Exception):  # nothing more can be done about it
        observer.stop()
        if observer.is_alive():
            observer.join()


def _release(error: Exception) -> None:
    """Close the inotify instance that watchdog leaves open when it fails while it starts.

    That happens where a directory goes between being listed and being watched, or where no thread
    can be started for reading the events. Only the frame in which the instance was being made knows
    it: in watchdog 6 an ``Inotify`` or its ``InotifyBuffer``, in watchdog 7 an ``InotifyFD``.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made: Any = frame.f_locals.get("self")
        made = getattr(made, "_inotify", made) if type(made).__name__ == "InotifyBuffer" else made
        if type(made).__name__ in {"Inotify", "InotifyFD"}:
            with contextlib.suppress(Exception):  # where even its descriptors could not be had
                made._close_resources()  # noqa: SLF001 -- because `close` leaves it to a reader, which never started
            return


def _identity(path: str) -> Identity:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    readable = os.access(path, os.R_OK | os.X_OK)
    return (status.st_dev, status.st_ino) if readable else ()


def is_for_the_process(error: BaseException) -> bool:
    """Tell whether an exception in the watch is to end the process, not the look.

    Signal handlers run in the main thread, and so, under gevent and eventlet, in whatever greenlet
    is running: their ``sys.exit()`` comes out of ours.
    """
    return not isinstance(error, Exception) and bool(patched_by())


def patched_by() -> str:
    """Tell what has replaced the threads of this process, if anything has."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        return "gevent"
    patcher: Any = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return "eventlet"
    return ""
