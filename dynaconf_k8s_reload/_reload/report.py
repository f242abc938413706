"""What a reloader tells of itself: counts for `Status`, lines in the log; never a value."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from .._dynaconf import Attachment
from .._model.changes import Changes
from .._model.clock import monotonic, now
from .._model.errors import RedactedCause, ReloadRejected
from .._model.log import log
from .._model.status import Status
from .._source.content import Payload
from .._source.snapshot import Snapshot

REMEMBERED = 1000
LISTED = 100  # keys in one line of the log


class Warnings:
    """Logs each warning once."""

    def __init__(self) -> None:
        self._given: dict[str, None] = {}

    def once(self, message: str) -> None:
        """Log a warning unless it has been logged before, as far as that is remembered."""
        if message not in self._given:
            if len(self._given) >= REMEMBERED:
                del self._given[next(iter(self._given))]
            self._given[message] = None
            log.warning("%s", message)

    def of_skipped(self, attachment: Attachment) -> None:
        """Name the variables that are not mirrored."""
        for name, reason in attachment.generation.plan.decision.skipped.items():
            self.once(
                f"{attachment.generation.payload.variables[name].source} is not mirrored: {reason}"
            )

    def of_left_out(self, snapshots: Iterable[Snapshot]) -> None:
        """Name the links that lead out of a mount."""
        for snapshot in snapshots:
            if snapshot.left_out:
                self.once(snapshot.left_out)

    def of_contested(self, label: str, contested: Mapping[str, str]) -> None:
        """Name the variables that another reloader gives another value."""
        for name, other in contested.items():
            self.once(
                f"{name} is provided by {label} and, with another value, by {other} for another "
                "Dynaconf object; the last loaded wins, so exclude it from one of the two mounts"
            )

    def of_lost(self, label: str, names: Iterable[str]) -> None:
        """Name the settings that code had set after loading, in a way that cannot be done again."""
        listed = ", ".join(names)
        if listed:
            self.once(
                f"{label}: the reload has removed {listed}, which code had put into the settings "
                "after they were loaded; set them with settings.set() or in a post_hook"
            )

    def of_differing(self, attachment: Attachment) -> None:
        """Name the variables that the process had with another value at the first load."""
        for name in attachment.generation.plan.differing:
            source = attachment.generation.payload.variables[name].source
            self.once(
                f"{name} had another value in the process than in {source}, which is used from "
                "now on; if the process's own shall win, list it in k8s_env_wins, and if the "
                "same ConfigMap is the pod's envFrom, give the mount env_from=True"
            )


def guarded(step: Callable[[], object]) -> None:
    """Do what can no longer change the outcome of a reload; whatever it raises ends here."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 -- because a populated object may raise anything, and no thread may be left to start
        log.error("what follows a reload failed: %s", RedactedCause.of(error))


def applied(generation: int, changes: Changes, payload: Payload, started: float) -> None:
    """Say that a generation has been published."""
    listed = [f"{change.key} {change.kind}" for change in islice(changes.values(), LISTED)]
    if len(changes) > LISTED:
        listed.append(f"and {len(changes) - LISTED} more")
    log.info(
        "generation %d applied: %d settings changed (%s), %d variables in %d mounts, %.3f s",
        generation,
        len(changes),
        ", ".join(listed) or "none",
        len(payload.variables),
        len(payload.snapshots),
        monotonic() - started,
    )


def rejected(error: ReloadRejected) -> None:
    """Say that an update was refused."""
    log.error("%s", error)


def rewritten(names: Callable[[], Iterable[str]]) -> None:
    """Say which variables the application has written itself, to whoever wants details."""
    listed = ", ".join(names()) if log.is_enabled_for(logging.DEBUG) else ""
    if listed:
        log.debug(
            "written by the application and left so until the mount's value changes: %s", listed
        )


def lag(before: Payload, after: Payload) -> float | None:
    """Give the seconds since a writer committed the latest of what differs."""
    committed = [
        new.committed_at
        for old, new in zip(before.snapshots, after.snapshots, strict=True)
        if new.committed_at is not None
        and (old.files, old.settings_files) != (new.files, new.settings_files)
    ]
    return max(0.0, time.time() - max(committed)) if committed else None


class History:
    """Counts generations and refusals, for `Status`.

    Attributes:
        falling_back: says that the first load was refused, and what is served in its place.
    """

    def __init__(self) -> None:
        self.falling_back = ""
        self.generation = 0
        self._applied_at: datetime | None = None
        self._lag: float | None = None
        self._rejected = 0
        self._refused: tuple[str, ReloadRejected, bool] | None = None
        self._last_error: str | None = None
        self._restart_required: dict[str, None] = {}
        self._reserved: tuple[str, ...] = ()

    def applied(
        self, restart_keys: Iterable[str], lag: float | None, reserved: Iterable[str] = ()
    ) -> None:
        """A generation has been published.

        Args:
            restart_keys: changed settings that take effect with a restart only.
            lag: seconds since a writer committed it.
            reserved: names that no mount may set, and of which ``envFrom`` has another value now.
        """
        self.generation += 1
        self._applied_at = now()
        self._lag = lag
        self._restart_required.update(dict.fromkeys(restart_keys))
        self._reserved = tuple(reserved)
        self.unchanged()

    @property
    def has_refused(self) -> bool:
        """What was read last was refused."""
        return self._refused is not None

    def unchanged(self) -> None:
        """The mounts hold what is being served."""
        self._refused = self._last_error = None
        self.falling_back = ""

    def falls_back(self, problem: str) -> None:
        """What is served is the last good content, until the mounts hold what is accepted."""
        self.falling_back = problem

    def refused(self, content: str, error: ReloadRejected, *, retry: bool) -> bool:
        """An update was refused; tells whether it is news, once for each content."""
        is_news = self._refused is None or self._refused[0] != content
        self._refused = (content, error, retry)
        self._last_error = str(error)
        self._rejected += is_news
        return is_news

    def refusal_of(self, content: str) -> ReloadRejected | None:
        """Give the error of this content if it was refused and need not be tried again."""
        if self._refused is None or self._refused[0] != content or self._refused[2]:
            return None
        return self._refused[1]

    @property
    def marks(self) -> tuple[object, ...]:
        """Differ once something has happened."""
        return (self.generation, self._rejected, self._last_error)

    def status(self, **rest: Any) -> Status:
        """Put together with `rest`, what is going on at this moment."""
        return Status(
            generation=self.generation,
            applied_at=self._applied_at,
            rejected=self._rejected,
            last_error=self._last_error,
            restart_required=(*self._restart_required, *self._reserved),
            lag=self._lag,
            **rest,
        )
