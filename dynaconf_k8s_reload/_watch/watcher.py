"""The watch: events are a hint, a comparison is the guarantee.

One thread compares the mounts of every reloader of the process with what the reloader has read: at
once when an event comes, a few more times shortly after it, and at each resync whether events come
or not.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .._model.clock import monotonic
from .._model.errors import RedactedCause
from .._model.log import log
from .events import Events, patched_by
from .watch import NEVER, POLL_EVERY, Backoff, Watch

if TYPE_CHECKING:
    from .._model.status import Watching


SLEEP_AT_MOST = 3600.0
EXIT_SECONDS = 0.5


class Hints:
    """Wakes the watching thread; any thread may give one, and so may the garbage collector."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()  # the one with reentrant `put`

    def give(self) -> None:
        """Wake the thread."""
        self._queue.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait for a hint, take all there are, and tell whether there was one."""
        try:
            self._queue.get(timeout=min(max(0.0, seconds), SLEEP_AT_MOST))
        except queue.Empty:
            return False
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        return True


class _Session:
    """One watching thread, from its start to its end, and what belongs to it alone."""

    def __init__(self, make_events: Callable[[Callable[[], object]], Events]) -> None:
        self.hints = Hints()
        self.watches: list[Watch] = []
        self.events = make_events(self.hints.give)
        self.thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        watch.renew(self.hints.give)
        self.watches = [*self.watches, watch]
        self.hints.give()

    def look(self, now: float, again: float) -> float:
        """Keep the events alive and compare every watch; give the time of the next look.

        Args:
            now: the time.
            again: when to look again whatever is found; `NEVER` if no event was recent.
        """
        watches = self.watches
        expecting = again != NEVER
        wake = min(again, self.events.keep({path for watch in watches for path in watch.paths}))
        for watch in watches:
            covered = all(self.events.covers(path) for path in watch.paths)
            due = self._compare(watch, now)
            if watch.moved and covered and not expecting:
                log.info("a change came without an event; the watch for events is made anew")
                self.events.drop()
                due = now
            at_least = watch.resync if covered else min(POLL_EVERY, watch.resync)
            wake = min(wake, due, now + at_least)
        return wake

    def _compare(self, watch: Watch, now: float) -> float:
        try:
            return watch.compare(now)
        except BaseException as error:  # noqa: BLE001 -- because the watch must not stop, whatever happens; a check may even call sys.exit()
            log.error("the comparison failed and is made again: %s", RedactedCause.of(error))
            return now + POLL_EVERY


class Watcher:
    """Watches for all reloaders of the process, with one observer and one thread.

    Args:
        events: makes the source of events; watchdog's by default.
        backoff: makes what tells the pace of the looks that follow an event.

    Attributes:
        lock: guards which thread watches what. It is never held during a comparison.
    """

    def __init__(
        self,
        *,
        events: Callable[[Callable[[], object]], Events] = Events,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._make_events = events
        self._make_backoff = backoff
        self._session: _Session | None = None
        self.lock = threading.RLock()  # reentrant, for a signal handler that stops

    def add(self, watch: Watch) -> None:
        """Start watching; the first comparison comes at once."""
        with self.lock:
            session = self._session
            if session is None or not _runs(session):
                before = [] if session is None else session.watches
                session = self._start(before)
            session.add(watch)

    def remove(self, watch: Watch, *, wait: float = 0.0) -> None:
        """Stop watching.

        Args:
            watch: what `add` was given.
            wait: how many seconds to wait for a reload of this watch to end and, after the last
                watch, for the thread.
        """
        deadline = monotonic() + wait
        watch.removed = True
        with self.lock:
            session = self._session
            if session is None or watch not in session.watches:
                return
            session.watches = [other for other in session.watches if other is not watch]
            is_last = not session.watches
            if is_last:
                self._session = None
        session.hints.give()
        if watch.lock.acquire(timeout=wait):
            watch.lock.release()
        if is_last:
            _join(session, deadline - monotonic())

    def close(self) -> None:
        """End the thread at the interpreter's exit, and wait a moment for it."""
        if patched_by():  # a thread from before the patch may end with a traceback, or never
            return
        with self.lock:
            session, self._session = self._session, None
        if session is not None:
            session.watches = []
            session.hints.give()
            _join(session, EXIT_SECONDS)

    def mode(self, watch: Watch | None, path: str | None = None) -> Watching:
        """Tell how a watch, or one of its paths, is being watched."""
        session = self._session
        if watch is None or session is None or watch not in session.watches or not _runs(session):
            return "off"
        paths = watch.paths if path is None else [path]
        return "events" if all(session.events.covers(item) for item in paths) else "polling"

    def renew_after_fork(self) -> None:
        """Watch anew in a forked child, and leave everything of the parent's alone."""
        self.lock = threading.RLock()
        session, self._session = self._session, None
        if session is not None:
            session.events.abandon()
            watches, session.watches = session.watches, []
            self._start(watches)

    def _start(self, watches: Sequence[Watch]) -> _Session:
        session = _Session(self._make_events)
        for watch in watches:
            session.add(watch)
        session.thread = threading.Thread(  # in no context of whoever happens to start it
            target=contextvars.Context().run,
            args=(self._run, session),
            name="k8s-reload-watch",
            daemon=True,
        )
        session.thread.start()
        self._session = session
        return session

    def _run(self, session: _Session) -> None:
        backoff = self._make_backoff()
        wake = 0.0
        while True:
            hinted = session.hints.wait(wake - monotonic())
            if not self._goes_on(session):
                break
            now = monotonic()
            wake = session.look(now, backoff.again(now, hinted=hinted))
        session.events.close()

    def _goes_on(self, session: _Session) -> bool:
        with self.lock:
            session.watches = [watch for watch in session.watches if watch.owner() is not None]
            if not session.watches and self._session is session:
                self._session = None
            return bool(session.watches)


def _runs(session: _Session) -> bool:
    return session.thread is not None and session.thread.is_alive()


def _join(session: _Session, seconds: float) -> None:
    if session.thread is not None and session.thread is not threading.current_thread():
        session.thread.join(max(0.0, seconds))


WATCHER = Watcher()

# A daemon thread that dies while it logs can take the interpreter's exit down with it.
atexit.register(WATCHER.close)
