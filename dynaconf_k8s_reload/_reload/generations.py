"""One reload, step by step: read, build, validate, publish, or refuse as a whole."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from dynaconf.base import Settings

from .. import _dynaconf
from .._dynaconf import Attachment, Build, Generation, Owner
from .._environ.mirror import Mirror
from .._model.changes import Changes
from .._model.clock import monotonic
from .._model.errors import ConfigError, MountError, ReloadRejected
from .._model.options import Options
from .._model.status import ReloadResult
from .._source.content import Payload
from .._source.fingerprint import token
from .._source.reading import Reader
from .._source.switch_interval import short_switch_interval
from . import report
from .notifier import Notifier, reference_to
from .progress import Progress
from .refusal import CheckFailedError, explain, without_values
from .report import History

CONFIRM_SECONDS = 5.0

_keys = itertools.count(1)


class Generations:
    """Leads one application's settings from one generation to the next; it watches nothing.

    Args:
        options: the application's.
        owner: who is told by the settings objects; they lead to it.
        notifier: tells the subscribers.
        mirror: writes the environment.

    Attributes:
        key: names it to the mirror.
        lock: held for a whole reload, one at a time.
        publishing: held for the moment of publication, and for what must not fall into it. Whoever
            holds it calls no application's code and waits for no other lock.
        options: those of the settings that are being served.
        reader: reads the mounts.
        progress: whether a reload is under way.
        inert: set on the class by a tool that only looks: nothing is mirrored or watched.
        restart_keys: patterns of keys that need a restart, beside those of the options; for what
            a framework reads once.
        observers: called with the result of each reload.
    """

    inert = False

    def __init__(self, options: Options, owner: Owner, notifier: Notifier, mirror: Mirror) -> None:
        self._owner = owner
        self._notifier = notifier
        self._mirror = mirror
        self.key = next(_keys)
        self.lock = threading.RLock()
        self.publishing = threading.RLock()
        self.options = options
        self.reader = Reader()
        self.restart_keys: tuple[str, ...] = ()
        self.history = History()
        self.observers: tuple[Callable[[ReloadResult], object], ...] = ()
        self._live: Settings | None = None
        self._checks: list[Callable[[], Callable[..., Any] | None]] = []
        self._snapshot: Settings | None = None
        self.progress = Progress(lambda: self.label)
        self._busy = False
        self._explicit = False
        self.stopped = False
        self.warnings = report.Warnings()

    @property
    def label(self) -> str:
        """The mounts, for messages."""
        return ", ".join(mount.path for mount in self.options.k8s_mounts) or "no mount"

    @property
    def settings(self) -> Settings:
        if self._live is None:
            raise ConfigError("the settings are still being loaded; call the reloader afterwards")
        return self._live

    def snapshot(self) -> Settings:
        """Give the settings of this generation, made once for all who ask."""
        snapshot = self._snapshot
        if snapshot is None:
            with self.publishing:
                snapshot = self._snapshot = self._snapshot or _dynaconf.snapshot_of(self.settings)
        return snapshot

    def forget_snapshot(self) -> None:
        """Have the next snapshot made anew: code has set something."""
        self._snapshot = None

    def resume(self) -> None:
        """Mirror what is published, and have the watch find whatever else was read once more."""
        self.stopped = False
        self._see_what_is_published()
        self.mirror(_dynaconf.attached(self.settings))

    def mark_fork(self, prepare: Callable[[], object]) -> None:
        """Have something done in a forked child before it reads its settings."""
        if self._live is not None:
            _dynaconf.before_first_use(self._live, prepare)

    def renew_after_fork(self) -> None:
        """Take fresh locks in a forked child: threads that stayed behind may hold the old ones."""
        self.lock = threading.RLock()
        self.publishing = threading.RLock()
        self._busy = False
        self.progress.reset()
        if self._live is not None:
            self._see_what_is_published()

    def _see_what_is_published(self) -> None:
        snapshots = _dynaconf.attached(self.settings).generation.payload.snapshots
        self.reader.seen = tuple(snapshot.token for snapshot in snapshots)

    def construct(self, settings: Settings, validate: Callable[[], object]) -> None:
        """Complete a new object: validate it, and confirm that it is of one generation."""
        without_values(settings, lambda: self._complete(settings, validate))

    def _complete(self, settings: Settings, validate: Callable[[], object]) -> None:
        _dynaconf.seal(settings)
        attachment = _dynaconf.attached(settings)
        if _dynaconf.reads_mounts(
            settings, [m.path for m in attachment.generation.options.k8s_mounts]
        ):
            built = self._build(
                settings, attachment.generation.options, attachment.generation.payload
            )
            _dynaconf.publish(settings, built)
        else:
            validate()
            _dynaconf.seal(settings)

    def adopt(self, settings: Settings) -> None:
        """Publish a new object, the first one or what ``configure()`` made, as a generation."""
        started = monotonic()
        attachment, before = _dynaconf.attached(settings), self._live
        changes = Changes() if before is None else _dynaconf.changes_between(before, settings)
        attachment.values = _dynaconf.values(settings)
        with self.publishing:
            self.options = attachment.generation.options
            self.reader.seen = tuple(
                snapshot.token for snapshot in attachment.generation.payload.snapshots
            )
            self.mirror(attachment)
            attachment.build = None
            attachment.generation.plan.environment.settle()
            self._live, self._snapshot = settings, None
            self.history.applied((), None)
            _dynaconf.remember(attachment.generation.wrapper, self._owner)
        self.warnings.of_left_out(attachment.generation.payload.snapshots)
        self.warnings.of_differing(attachment)
        self._tell(attachment, changes, started)

    def reload(self, *, explicit: bool) -> ReloadResult:
        started = monotonic()
        with self.lock:
            if self._busy:
                raise ConfigError(
                    "a check or a hook called reload() within a reload; subscribe with on_change"
                )
            self._busy, self._explicit = True, explicit
            try:
                with self.progress, short_switch_interval():
                    result = self._attempt(started, explicit=explicit)
            finally:
                self._busy = False
        self.observed(result)
        return result

    def _attempt(self, started: float, *, explicit: bool) -> ReloadResult:
        current = _dynaconf.attached(self.settings)
        payload: Payload | None = None
        try:
            snapshots = self.reader.read(self.options, current.generation.payload.snapshots)
            payload = Payload(snapshots, current.generation.payload)
            self.warnings.of_left_out(snapshots)
            if payload.digest == current.generation.payload.digest:
                # The same content, perhaps in another directory.
                current.generation = replace(current.generation, payload=payload)
                self.history.unchanged()
                return self._result("unchanged", started)
            refused = self.history.refusal_of(payload.digest)
            if refused is not None and not explicit:
                return self._result("rejected", started, error=refused)
            return self._result("applied", started, self._advance(payload, started))
        except BaseException as error:  # a settings file may even call sys.exit()
            if explicit and not isinstance(error, Exception):
                raise  # such as Ctrl-C; the watch, which must not stop, refuses the content
            names, before = _dynaconf.names(self.settings), current.generation.payload
            rejected = explain(error, names, before, payload)
            retry = isinstance(error, MountError)
        # Out here no frame holds what was raised, for whoever looks at frames when this is logged.
        return self._reject(rejected, payload, started, retry=retry)

    def _advance(self, payload: Payload, started: float) -> Changes:
        live = self.settings
        give_up = monotonic() + CONFIRM_SECONDS
        while True:
            built = self._build(live, self.options, payload)
            changes = self._check(live, built)
            if self._publish(live, built, changes, started):
                return changes
            if monotonic() > give_up:
                raise MountError(
                    f"{self.label}: code kept switching the environment, or adding validators or "
                    "from_env() objects, while a generation was built; it is built again at the "
                    "next comparison"
                )

    def _build(self, live: Settings, options: Options, payload: Payload) -> Settings:
        """Build a candidate of one generation of the mounts, its settings files included."""
        give_up = monotonic() + CONFIRM_SECONDS
        while True:
            plan = self._mirror.plan(self.key, payload, options, _dynaconf.names(live))
            attachment = Attachment(Generation(self._owner, options, payload, plan), Build())
            failure: BaseException | None = None
            try:
                built = _dynaconf.build(live, attachment)
            except BaseException as error:  # noqa: BLE001 -- because it is raised below, unless the mounts moved meanwhile
                failure = error
            moved = any(token(s.mount.path) != s.token for s in payload.snapshots)
            if failure is not None and not (moved and isinstance(failure, Exception)):
                raise failure
            paths = [snapshot.mount.path for snapshot in payload.snapshots]
            if failure is None and not (moved and _dynaconf.reads_mounts(built, paths)):
                return built
            if monotonic() > give_up:
                raise MountError(
                    f"{self.label} kept changing while settings files in it were loaded; "
                    "they are loaded again at the next comparison"
                )
            payload = Payload(self.reader.read(options, payload.snapshots), payload)

    def _check(self, live: Settings, built: Settings) -> Changes:
        _dynaconf.attached(built).values = _dynaconf.values(built)
        changes = _dynaconf.changes_between(live, built)
        for reference in self._checks:
            check = reference()
            if check is not None:
                try:
                    check(built, changes)
                except Exception as error:  # noqa: BLE001 -- because a check may raise anything
                    raise CheckFailedError(check, error) from None
        return changes

    def _publish(self, live: Settings, built: Settings, changes: Changes, started: float) -> bool:
        attachment = _dynaconf.attached(built)
        before = _dynaconf.attached(live).generation.payload
        with self.publishing:
            if self.stopped and not self._explicit:
                return True  # it was still to be published when the watch was stopped
            if not _dynaconf.is_current(live, built):
                return False
            _dynaconf.replay(live, built)
            self.mirror(attachment)
            _dynaconf.publish(live, built)
            attachment.generation.plan.environment.settle()
            self._snapshot = None
            self.history.applied(
                changes.matching((*self.options.k8s_restart_keys, *self.restart_keys)),
                report.lag(before, attachment.generation.payload),
            )
        self._tell(attachment, changes, started)
        return True

    def mirror(self, attachment: Attachment) -> None:
        if self.inert:
            return
        self._mirror.apply(self.key, attachment.generation.plan, attachment.generation.payload)
        report.rewritten(lambda: self._mirror.rewritten(self.key))

    def _tell(self, attachment: Attachment, changes: Changes, started: float) -> None:
        if changes:
            self._notifier.publish("change", changes)
        self.warnings.of_skipped(attachment)
        self.warnings.of_contested(self.label, self._mirror.contested(self.key))
        report.applied(self.history.generation, changes, attachment.generation.payload, started)

    def _reject(
        self, rejected: ReloadRejected, payload: Payload | None, started: float, *, retry: bool
    ) -> ReloadResult:
        content = payload.digest if payload is not None else str(rejected)
        if self.history.refused(content, rejected, retry=retry):
            report.rejected(rejected)
            self._notifier.publish("error", rejected)
        return self._result("rejected", started, error=rejected)

    def _result(
        self,
        outcome: Literal["applied", "unchanged", "rejected"],
        started: float,
        changes: Changes | None = None,
        error: Any = None,
    ) -> ReloadResult:
        seconds = monotonic() - started
        return ReloadResult(outcome, self.history.generation, changes or Changes(), error, seconds)

    def observed(self, result: ReloadResult) -> None:
        """Tell the observers of a reload that has ended."""
        for observer in self.observers:
            report.guarded(lambda observer=observer: observer(result))  # type: ignore[misc] # reason: mypy knows no lambda with a default

    def add_check(self, function: Callable[..., Any]) -> None:
        with self.publishing:
            self._checks = [*self._checks, reference_to(function)]

    def remove_check(self, function: Callable[..., Any]) -> None:
        with self.publishing:
            self._checks = [check for check in self._checks if check() not in (function, None)]
