"""The lines that one settings object writes to the log: names, counts and times, never a value."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from dynaconf.base import Settings

from .. import _dynaconf
from .._model.changes import Changes
from .._model.clock import monotonic
from .._model.errors import ReloadRejected
from .._model.log import log
from .._model.shown import counted, few
from .._source.content import Payload
from .._source.snapshot import Snapshot

LISTED = 10  # changed keys in one line


class Lines:
    """Writes to the log, each line with the name of the object that it is about."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._title = ""
        self._said: set[str] = set()

    def begin(self, settings: Settings) -> None:
        """Be about this object from now on."""
        self._settings, self._title = settings, ""

    def info(self, message: str, *args: object) -> None:
        """Write what went as it should."""
        log.info(f"{message}%s", *args, self.whose())

    def warning(self, message: str, *args: object) -> None:
        """Write what a person should look at."""
        log.warning(f"{message}%s", *args, self.whose())

    def error(self, message: str, *args: object) -> None:
        """Write what has failed."""
        log.error(f"{message}%s", *args, self.whose())

    def once(self, message: str) -> None:
        """Write a warning unless it has been written before."""
        if message not in self._said:
            self._said.add(message)
            self.warning("%s", message)

    def whose(self) -> str:
        """Name the object at the end of a line: its prefix, or the module that has it."""
        if not self._title and self._settings is not None:
            self._title = _dynaconf.title_of(self._settings)
        return f" [{self._title}]" if self._title else ""

    def loaded(self, snapshots: Sequence[Snapshot], *, watching: bool) -> None:
        """Say what a first load has found."""
        found = [
            f"{counted(len(snapshot.files), 'key')} of {snapshot.mount.path}"
            for snapshot in snapshots
        ]
        how = "watching" if watching else "not watching"
        self.info("loaded %s, %s", " and ".join(found) or "no mount", how)

    def applied(self, generation: int, changes: Changes, payload: Payload, started: float) -> None:
        """Say that a generation has been published."""
        if not log.is_enabled_for(logging.INFO):
            return
        kinds: dict[str, str] = {}
        for change in changes.values():  # what changed inside a value is told as the value's
            kinds[change.shown] = "modified" if change.shown in kinds else change.kind
        self.info(
            "generation %d applied: %s changed (%s), %s in %s, %.3f s",
            generation,
            counted(len(kinds), "setting"),
            few([f"{name} {kind}" for name, kind in kinds.items()], LISTED) or "none",
            counted(len(payload.variables), "variable"),
            counted(len(payload.snapshots), "mount"),
            monotonic() - started,
        )

    def rejected(self, error: ReloadRejected) -> None:
        """Say that an update was refused."""
        self.error("%s", error)

    def back(self, mounts: str) -> None:
        """Say that a refusal is over although nothing has been applied."""
        self.info(
            "no update of %s is refused any more; its content is what is being served again", mounts
        )

    def rewritten(self, names: Callable[[], Collection[str]]) -> None:
        """Say at DEBUG which variables the application has written itself."""
        listed = few(names(), LISTED) if log.is_enabled_for(logging.DEBUG) else ""
        if listed:
            log.debug(
                "written by the application and left so until the mount's value changes: %s%s",
                listed,
                self.whose(),
            )
