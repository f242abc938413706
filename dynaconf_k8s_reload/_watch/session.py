"""`Session`: one watching thread, from its start to its end, and what belongs to it alone."""

from __future__ import annotations

import _thread
import contextvars
import os
import threading
from collections.abc import Callable, Sequence

from .._model.clock import monotonic
from .._model.errors import RedactedCause
from .._model.log import log
from .events import Events
from .greenlets import is_for_the_process, patched_by
from .hints import Hints
from .watch import NEVER, POLL_EVERY, Backoff, Watch

FIRST_LOOK_SECONDS = 1.0


class Session:
    """What one watching thread looks at, by which events, and how it is.

    Args:
        make_events: makes the source of events.
        backoff: tells the pace of the looks that follow an event.

    Attributes:
        pid: the process that it was made for.
        hints: wake the thread.
        watches: what is compared.
        events: tell of changes.
        comparing: what is being compared, and since when in seconds of `clock.monotonic`.
        problem: why no thread runs; empty while one does.
    """

    def __init__(
        self, make_events: Callable[[Callable[[], object]], Events], backoff: Backoff
    ) -> None:
        self.pid = os.getpid()
        self.hints = Hints()
        self.watches: Sequence[Watch] = ()
        self.events = make_events(self.hints.give)
        self.comparing: tuple[Watch, float] | None = None
        self.problem = ""
        self._backoff = backoff
        self._wake = 0.0
        self._hinted = False
        self._thread: threading.Thread | None = None
        self._has_looked = threading.Event()
        self._tried_at = 0.0

    def add(self, watch: Watch) -> None:
        """Compare this one too; the first time at once."""
        watch.renew(self.hints.give)
        self.watches = [*(other for other in self.watches if other is not watch), watch]
        self.hints.give()

    @property
    def runs(self) -> bool:
        """The thread lives; under gevent or eventlet it may still have to begin."""
        thread = self._thread
        return thread is not None and (thread.ident is None or thread.is_alive())

    @property
    def has_run(self) -> bool:
        """A thread could be started, whatever has become of it."""
        return self._thread is not None

    @property
    def has_died(self) -> bool:
        """A thread was started and lives no more."""
        return self.has_run and not self.runs

    def start(self, target: Callable[[Session], object], hindrance: str) -> None:
        """Start the thread if none was, unless something hinders it or the system refuses.

        Args:
            target: what it runs, with this session.
            hindrance: why it is of no use to try; empty if nothing hinders.
        """
        now = monotonic()
        if self.has_run:
            return
        if hindrance or (self.problem and now < self._tried_at + POLL_EVERY):
            self.problem = hindrance or self.problem
            return
        self._tried_at = now
        before = self.problem
        self.hints.begin()  # the thread looks before it waits, so no hint is lost
        try:
            thread = threading.Thread(  # in a context of its own, not that of whoever starts it
                target=contextvars.Context().run,
                args=(target, self),
                name="k8s-reload-watch",
                daemon=True,
            )
            # Before it runs: its first look tells how it is watched, and may be over first.
            self._thread, self.problem = thread, ""
            if patched_by():  # not `start` itself: it would yield to other greenlets
                _thread.start_new_thread(thread.start, ())
            else:
                thread.start()
        except (RuntimeError, MemoryError) as error:
            self._thread = None
            message = (
                f"no thread can be started ({type(error).__name__}), so the mounts are compared "
                "only when the reloader is asked for something; raise the limit of processes or "
                "memory (pids.max, ulimit -u)"
            )
            if message != before:
                log.warning("%s", message)
            self.problem = message

    def wait_for_first_look(self) -> bool:
        """Wait a moment until everything has been compared once; tell whether a thread runs.

        Not under gevent or eventlet, where waiting would run whatever other greenlet is ready.
        """
        if self.runs and not patched_by():
            self._has_looked.wait(FIRST_LOOK_SECONDS)
        return self.runs

    def wait_for_begin(self, watch: Watch) -> None:
        """Wait a moment until it is known whether events come; see `wait_for_first_look`."""
        if self.runs and not patched_by() and self._thread is not threading.current_thread():
            watch.begun.wait(max(0.0, FIRST_LOOK_SECONDS - watch.age))

    def join(self, seconds: float) -> None:
        """Wait for the thread's end."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        if thread.ident is not None:  # a greenlet that has not begun ends as soon as it does
            thread.join(max(0.0, seconds))

    def turn(self) -> None:
        """Look once: the thread's work between two waits, which `wait` ends."""
        now = monotonic()
        if not self._has_looked.is_set():  # before the events, which take a while to be armed
            for watch in self.watches:
                self.compare(watch, now)
        self._wake = self.look(now, self._backoff.again(now, hinted=self._hinted))
        self._has_looked.set()

    def wait(self) -> None:
        """Wait until the next look is due, or something hints at a change."""
        self._hinted = self.hints.wait(self._wake - monotonic())

    def look(self, now: float, again: float = NEVER) -> float:
        """Keep the events alive and compare every watch; give the time of the next look.

        Args:
            now: the time.
            again: when to look again whatever is found; `NEVER` if no event was recent.
        """
        watches = self.watches
        # No event was recent, so for what has moved among these it did not come. It was not due
        # for what `keep` arms only now.
        owed = {watch for watch in watches if again == NEVER and self._covered(watch)}
        wake = min(again, self.events.keep({path for watch in watches for path in watch.paths}))
        for watch in watches:
            covered = self._covered(watch)
            watch.begun.set()
            due = self.compare(watch, now)
            if watch.moved and covered and watch in owed:
                log.info("a change came without an event; the watch for events is made anew")
                self.events.drop()
                due = now
            hinted = covered and not watch.follows_files
            at_least = watch.resync if hinted else min(POLL_EVERY, watch.resync)
            wake = min(wake, due, now + at_least)
        return wake

    def _covered(self, watch: Watch) -> bool:
        return all(self.events.covers(path) for path in watch.paths)

    def compare(self, watch: Watch, now: float) -> float:
        """Compare one watch, whatever happens; give the time at which it is due again."""
        self.comparing = (watch, now)
        try:
            due = watch.compare(now)
            self.comparing = None  # or `looked` would publish that this watch is held up
            watch.problem = ""
            owner = watch.owner()
            if owner is not None:
                owner.looked()
        except BaseException as error:  # nothing ends the watch
            if is_for_the_process(error):
                raise  # pragma: no cover # reason: in a greenlet, which is not measured
            self._failed(watch, error)
            return now + POLL_EVERY
        finally:
            self.comparing = None
        return due

    def _failed(self, watch: Watch, error: BaseException) -> None:
        mounts = ", ".join(watch.paths)
        problem = f"the comparison of {mounts} failed and is made again: {RedactedCause.of(error)}"
        if problem != watch.problem:  # once, not every second for as long as it lasts
            log.error("%s", problem)
        watch.problem = problem
