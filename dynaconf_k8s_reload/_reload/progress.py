"""`Progress`: whether a reload is under way, and a word about one that takes long."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from datetime import datetime

from .._model import clock
from .._model.log import log

LONG_SECONDS = 5.0
REMEDY = (
    "look at the application's validators, checks, hooks and templates and at its file system; "
    "py-spy dump --pid {pid} shows where it is"
)


class Progress:
    """A context manager around each reload, one at a time.

    Args:
        label: gives the mounts, for messages.

    Attributes:
        since: when the reload that is under way began; ``None`` if none is.
        on_long: called, in a thread of its own, once a reload has taken long.
    """

    def __init__(self, label: Callable[[], str]) -> None:
        self._label = label
        self._began = 0.0
        self._timer: threading.Timer | None = None
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
        return (
            f"a reload of {self._label()} has been running for {seconds:.0f} s; "
            f"{REMEDY.format(pid=os.getpid())}"
        )

    def __enter__(self) -> None:
        self._began, self.since = clock.monotonic(), clock.now()
        timer = threading.Timer(LONG_SECONDS, self._tell)
        timer.name, timer.daemon = "reload-overdue", True
        with contextlib.suppress(RuntimeError, MemoryError):  # no thread can be started
            timer.start()
            self._timer = timer

    def __exit__(self, *_: object) -> None:
        timer, self._timer, self.since = self._timer, None, None
        if timer is not None:
            timer.cancel()

    def reset(self) -> None:
        """Forget, in a forked child, the reload that goes on in its parent."""
        self._timer = self.since = None

    def _tell(self) -> None:
        problem = self.problem
        if problem:
            log.warning("%s", problem)
            self.on_long()
