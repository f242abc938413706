"""`Progress`: whether a reload is under way; and a report of one that takes long."""

from __future__ import annotations

import _thread
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from .. import _dynaconf
from .._model import clock
from .._model.published import HUNG_SECONDS, running
from .._model.shown import escaped
from .lines import Lines

LONG_SECONDS = 5.0
EVERY_SECONDS = 0.1  # how exact that is
# A thread that still runs when an interpreter beside the main one ends takes the process with it.
MAY_START = getattr(_thread, "daemon_threads_allowed", lambda: True)()
REMEDY = (
    "look at the application's validators, checks, hooks, templates and logging handlers, and at "
    "its file system; py-spy dump --pid {pid} shows where it is"
)


class Reloading(Protocol):
    """What is being reloaded."""

    @property
    def progress(self) -> Progress:
        """Of its reload."""


class Progress:
    """What is known of the reload of one application that is under way, one at a time.

    Args:
        label: gives the mounts, for messages.
        lines: are written.

    Attributes:
        since: when the reload that is under way began; ``None`` if none is.
        told: the log and the status have said of the reload that is under way that it takes long.
        on_long: called once a reload has taken long, and again when it is unhealthy, in a thread of
            its own; and at its end, since others may have read of it.
    """

    def __init__(self, label: Callable[[], str], lines: Lines) -> None:
        self._label = label
        self._lines = lines
        self._began = self._taken = 0.0
        self.told: bool = False
        self._thread = 0
        self.since: datetime | None = None
        self.on_long: Callable[[], object] = lambda: None

    @property
    def began(self) -> float | None:
        """When it began, in seconds of `clock.monotonic`; ``None`` if none is under way."""
        return self._began if self.since is not None else None

    @property
    def seconds(self) -> float:
        """For how long a reload has been under way; 0 if none is."""
        return clock.monotonic() - self._began if self.since is not None else 0.0

    @property
    def problem(self) -> str:
        """Say that a reload takes long, and what to do; empty if none does."""
        seconds = self.seconds
        if seconds < LONG_SECONDS:
            return ""
        unhealthy = ", which makes the process unhealthy" if seconds > HUNG_SECONDS else ""
        frames = sys._current_frames()  # noqa: SLF001 -- because Python documents it
        place = _dynaconf.place_of(frames.get(self._thread))
        where = f"it is at {escaped(place)}; " if place else ""
        begins = f"{running(self._label(), seconds)}{unhealthy}"
        return f"{begins}; {where}{REMEDY.format(pid=os.getpid())}"

    def begin(self) -> None:
        """A reload begins."""
        self._began, self.since, self.told = clock.monotonic(), clock.now(), False
        self._thread = threading.get_ident()

    def end(self) -> None:
        """It has ended."""
        self._taken, self.since = self.seconds, None

    def tell_end(self) -> None:
        """Say that it has ended, if the log and the status have said that it takes long."""
        if self.told:
            self.told = False
            self.on_long()
            taken = f"{self._taken:.0f}"
            self._lines.info("the reload of %s has ended, after %s s", self._label(), taken)

    def reset(self) -> None:
        """Forget, in a forked child, the reload that goes on in its parent."""
        self.since = None

    def tell(self) -> None:
        """Say in the log that the reload takes long, if it still does."""
        problem = self.problem
        if problem:
            self.told = True
            self.on_long()  # before the log: it may be what hangs
            write = self._lines.error if self.seconds > HUNG_SECONDS else self._lines.warning
            write("%s", problem)


class Overdue:
    """Reports each reload that takes long; one thread looks after all of them.

    The thread ends a moment after the last reload: starting and ending one for each would be a
    tenth of a reload of ten keys.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, tuple[list[float], Sequence[Progress]]] = {}
        self._pid = 0  # of the process that has the thread; a forked child has none

    def begin(self, every: Sequence[Progress]) -> None:
        """Watch a reload of these."""
        now = clock.monotonic()
        self._under_way[id(every)] = ([now + LONG_SECONDS, now + HUNG_SECONDS], every)
        if MAY_START and self._pid != os.getpid():
            self._start()

    def end(self, every: Sequence[Progress]) -> None:
        """Stop watching it."""
        self._under_way.pop(id(every), None)

    def _start(self) -> None:
        started = False
        try:
            self._pid = os.getpid()
            with contextlib.suppress(RuntimeError, MemoryError):  # no thread can be started
                _thread.start_new_thread(self.run, ())
                started = True
        finally:
            if not started:
                self._pid = 0

    def run(self) -> None:
        """Look at what is under way, until nothing is."""
        pause = _thread.allocate_lock()  # gevent replaces it wherever it makes this a greenlet
        pause.acquire()
        try:
            while self._under_way:  # again, for what began meanwhile and found this thread
                self._pid = os.getpid()
                while self._under_way:
                    pause.acquire(timeout=EVERY_SECONDS)
                    self._tell_late()
                self._pid = 0
        finally:
            self._pid = 0

    def _tell_late(self) -> None:
        now = clock.monotonic()
        for key, (dues, every) in list(self._under_way.items()):
            left = [due for due in dues if due > now]
            if len(left) == len(dues):
                continue
            dues[:] = left
            if not left:
                self._under_way.pop(key, None)
            # Not in this thread: `logging` asks `threading` for its name, which would register it.
            with contextlib.suppress(RuntimeError, MemoryError):  # no thread can be started
                threading.Thread(
                    target=_tell, args=(every,), name="reload-overdue", daemon=True
                ).start()


def _tell(every: Sequence[Progress]) -> None:
    for each in every:
        each.tell()


OVERDUE = Overdue()


@contextlib.contextmanager
def busy(reloading: Sequence[Reloading]) -> Iterator[None]:
    """Note a reload of several applications at once, whoever takes long in it."""
    every = [each.progress for each in reloading]
    for each in every:
        each.begin()
    OVERDUE.begin(every)
    try:
        yield
    finally:
        OVERDUE.end(every)
        for each in every:
            each.end()
        for each in every:  # last: a log handler that raises ends this loop
            each.tell_end()
