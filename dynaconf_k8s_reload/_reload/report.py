"""What a reloader counts, for `Status`: generations, refusals, what waits for a restart."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal, Protocol

from .._model.changes import Changes
from .._model.clock import monotonic, now
from .._model.errors import RedactedCause, ReloadRejected
from .._model.record import record
from .._model.status import ReloadResult, Status
from .._source.content import Payload
from .lines import Lines


def guarded(step: Callable[[], object], lines: Lines) -> None:
    """Do what can no longer change the outcome of a reload; whatever it raises ends in the log."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 -- because a populated object may raise anything, and no thread may be left to start
        lines.error("what follows a reload failed: %s", RedactedCause.of(error))


def lag(before: Payload, after: Payload) -> float | None:
    """Give the seconds since a writer committed the latest of what differs."""
    committed = [
        new.committed_at
        for old, new in zip(before.snapshots, after.snapshots, strict=True)
        if new.committed_at is not None
        and (old.files, old.settings_files) != (new.files, new.settings_files)
    ]
    return max(0.0, time.time() - max(committed)) if committed else None


class Culprit(Protocol):
    """Whose fault a refusal is."""

    stopped: bool
    lines: Lines


@record
class Refusal:
    """Why all objects of a pass stay as they are.

    Attributes:
        error: what they are told.
        culprit: whose fault it is; once that is gone the content is tried again.
        retry: it is tried again in any case.
    """

    error: ReloadRejected
    culprit: Culprit
    retry: bool


class History:
    """Counts generations and refusals, for `Status`.

    Attributes:
        falling_back: says that the first load was refused, and what is served in its place.
    """

    def __init__(self) -> None:
        self.falling_back: str = ""
        self.generation: int = 0
        self._applied_at: datetime | None = None
        self._lag: float | None = None
        self._rejected = 0
        self._refused: tuple[str, ReloadRejected, bool] | None = None
        self._culprit: Callable[[], Culprit | None] = lambda: None
        self._last_error: str | None = None
        self._waiting = Changes()
        self._reserved: tuple[str, ...] = ()

    @property
    def restart_required(self) -> tuple[str, ...]:
        """The settings, and reserved variables, that are not what the process started with."""
        waiting = (change.shown for change in self._waiting.values())
        return tuple(dict.fromkeys((*waiting, *self._reserved)))

    def applied(self, waiting: Changes, lag: float | None, reserved: Iterable[str] = ()) -> None:
        """A generation has been published.

        Args:
            waiting: the changes that take effect with a restart only.
            lag: seconds since a writer committed it.
            reserved: names that no mount may set, and of which ``envFrom`` has another value now.
        """
        self.generation += 1
        self._applied_at = now()
        self._lag = lag
        self._waiting = self._waiting.then(waiting)  # a change that is undone waits no more
        self._reserved = tuple(reserved)
        self.unchanged()

    @property
    def is_stuck(self) -> bool:
        """What refused the content that is not served is gone, so it is to be tried again."""
        return self._refused is not None and self._is_culprit_gone

    def is_refused_by(self, owner: Culprit) -> bool:
        """Content that is not served was refused, and the log has told of it for this object."""
        return self._refused is not None and self._culprit() is owner

    def unchanged(self) -> None:
        """The mounts hold what is being served."""
        self._refused = self._last_error = None
        self.falling_back = ""

    def falls_back(self, problem: str) -> None:
        """What is served is the last good content, until the mounts hold what is accepted."""
        self.falling_back = problem

    def refused(self, content: str, refusal: Refusal) -> bool:
        """Note that content was refused; tells whether that is news, once for each content."""
        is_news = self._refused is None or self._refused[0] != content
        self._refused = (content, refusal.error, refusal.retry)
        self._culprit = weakref.ref(refusal.culprit)
        self._last_error = str(refusal.error)
        self._rejected += is_news
        return is_news

    def refusal_of(self, content: str) -> ReloadRejected | None:
        """Give the error of this content if it was refused and need not be tried again."""
        if self._refused is None or self._refused[0] != content or self._refused[2]:
            return None
        if self._is_culprit_gone:
            return None
        return self._refused[1]

    @property
    def _is_culprit_gone(self) -> bool:
        culprit = self._culprit()
        return culprit is None or culprit.stopped

    def result(
        self,
        outcome: Literal["applied", "unchanged", "rejected"],
        started: float,
        changes: Changes | None = None,
        error: ReloadRejected | None = None,
    ) -> ReloadResult:
        """Give the result of a reload that began at `started`, on the monotonic clock."""
        seconds = monotonic() - started
        return ReloadResult(outcome, self.generation, changes or Changes(), error, seconds)

    @property
    def marks(self) -> tuple[object, ...]:
        """Differ once something has happened."""
        return (self.generation, self._rejected, self._last_error)

    def status(self, **rest: Any) -> Status:
        """Make the status of what is counted here and of `rest`, the state of this moment."""
        return Status(
            generation=self.generation,
            applied_at=self._applied_at,
            rejected=self._rejected,
            last_error=self._last_error,
            restart_required=self.restart_required,
            lag=self._lag,
            **rest,
        )
