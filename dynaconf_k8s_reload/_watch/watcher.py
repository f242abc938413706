"""The watch: events are a hint, a comparison is the guarantee.

One thread compares the mounts of every reloader of the process with what the reloader has read: at
once when an event comes, a few more times shortly after it, and at each resync whether events come
or not. Where no thread can run, the calls of the API compare.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .._model.clock import monotonic
from .._model.errors import RedactedCause
from .._model.log import log
from . import uwsgi
from .events import Events
from .greenlets import is_for_the_process, patched_by
from .processes import RENEWED_LAST, is_ours, notice_fork
from .session import Session
from .watch import POLL_EVERY, Backoff, Watch

if TYPE_CHECKING:
    from .._model.status import Watching

EXIT_SECONDS = 0.5


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
        self._session: Session | None = None
        self._awaits_worker = False
        self.lock: threading.RLock = threading.RLock()  # reentrant, for a signal handler that stops
        RENEWED_LAST.add(self)

    def add(self, watch: Watch) -> None:
        """Start watching; the first comparison comes at once."""
        with self.lock:
            session = self._session
            if session is None:
                self._begin([watch])
            elif session.has_died:
                session.events.drop()
                self._begin([*(w for w in session.watches if w is not watch), watch])
            else:
                session.add(watch)
                session.start(self._run, uwsgi.hindrance())

    def remove(self, watch: Watch, *, wait: float = 0.0) -> None:
        """Stop watching.

        Args:
            watch: what `add` was given.
            wait: how many seconds to wait for a comparison of this watch to end and, after the
                last watch, for the thread; a reload that has begun is not waited for.
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
            session.join(deadline - monotonic())

    def close(self) -> None:
        """End the thread at the interpreter's exit, and wait a moment for it."""
        if patched_by():  # a thread from before the patch may end with a traceback, or never
            return
        if not is_ours():  # the thread is a parent's
            return
        with self.lock:
            session, self._session = self._session, None
            if session is not None:
                session.watches = ()
        if session is not None:
            session.hints.give()
            session.join(EXIT_SECONDS)

    def mode(self, watch: Watch | None, path: str | None = None) -> Watching:
        """Tell how a watch, or one of its paths, is being watched."""
        session = self._session
        if watch is None or session is None or watch not in session.watches or not session.runs:
            return "off"
        paths = watch.paths if path is None else [path]
        return "events" if all(session.events.covers(item) for item in paths) else "polling"

    def problem(self, watch: Watch) -> str:
        """Tell what keeps a watch from looking, or from looking at once; empty if nothing does."""
        session = self._session
        if session is None or watch not in session.watches or session.has_died:
            return "the watch has ended; start() revives it"
        return session.problem or watch.problem or session.events.problem

    def held_up(self) -> tuple[Watch, float] | None:
        """Tell which watch is being compared, if one is, and for how many seconds so far."""
        session = self._session
        comparing = None if session is None else session.comparing
        return comparing and (comparing[0], monotonic() - comparing[1])

    def tend(self, watch: Watch) -> None:
        """Where no thread could be started, try again, and meanwhile compare in this one.

        It does not while another thread compares, since that one's reload may hang.
        """
        session = self._session
        if session is None or session.has_run or watch not in session.watches:
            return
        with self.lock:
            session.start(self._run, uwsgi.hindrance())
        if not session.wait_for_first_look() and watch.lock.acquire(blocking=False):
            try:
                session.compare(watch, monotonic())
            finally:
                watch.lock.release()

    def prompt(self, watch: Watch) -> None:
        """Have the thread look now, if a change was missed or no events come.

        Where the watch has only just begun, wait until it is known whether they do.
        """
        session = self._session
        if session is None or watch not in session.watches:
            return
        session.wait_for_begin(watch)
        if watch.missed or self.mode(watch) == "polling":
            session.hints.give()

    def renew_after_fork(self) -> None:
        """Watch anew in a forked child, and leave everything of the parent's alone."""
        session = self._session
        if session is not None and session.pid == os.getpid():
            return  # it has begun already, and was interrupted while it waited
        self.lock = threading.RLock()
        if session is not None:
            session.events.abandon()
            begun = self._begin(session.watches)
            session.watches = ()
            begun.wait_for_first_look()

    def _begin(self, watches: Sequence[Watch]) -> Session:
        session = Session(self._make_events, self._make_backoff())
        for watch in watches:
            session.add(watch)
        self._session = session
        hindrance = uwsgi.hindrance()
        if hindrance == uwsgi.MASTER and not self._awaits_worker:
            self._awaits_worker = True
            uwsgi.in_each_worker(self._in_worker)
        session.start(self._run, hindrance)
        return session

    def _in_worker(self) -> None:
        notice_fork()
        session = self._session
        for watch in () if session is None else session.watches:
            self.tend(watch)  # without a master nothing has forked, so there is nothing to renew

    def _run(self, session: Session) -> None:
        while True:
            try:
                session.wait()
                # A greenlet goes on in a forked child, where nothing measures it.
                if session.pid != os.getpid():  # pragma: no cover # reason: as said above
                    notice_fork()
                    return
                if not self._goes_on(session):
                    break
                session.turn()
            except BaseException as error:  # nothing ends the watch
                if is_for_the_process(error):
                    raise  # pragma: no cover # reason: in a greenlet, which is not measured
                with contextlib.suppress(BaseException):
                    log.error("the watch failed and goes on: %s", RedactedCause.of(error))
                with contextlib.suppress(BaseException):
                    time.sleep(POLL_EVERY)  # it may fail again at once
        session.events.close()

    def _goes_on(self, session: Session) -> bool:
        with self.lock:
            session.watches = [watch for watch in session.watches if watch.owner() is not None]
            if not session.watches and self._session is session:
                self._session = None
            return bool(session.watches)


WATCHER = Watcher()

# A daemon thread that dies while it logs can take the interpreter's exit down with it.
atexit.register(WATCHER.close)
