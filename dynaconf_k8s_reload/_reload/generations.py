"""One application's settings object: what it serves, what was refused, what is to be told."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from functools import partial

from dynaconf.base import Settings

from .. import _dynaconf
from .._dynaconf import Attachment, Owner
from .._environ.mirror import Mirror
from .._model.changes import Changes
from .._model.errors import ConfigError, ReloadRejected
from .._model.options import Options
from .._model.status import ReloadResult
from .._source.content import Payload
from .._source.fingerprint import token
from .._source.reader import Reader
from . import report
from .checks import Checks
from .lines import Lines
from .name_warnings import NameWarnings
from .notifier import Kind, Notifier
from .outside_files import OutsideFiles
from .progress import Progress
from .refusal import explain
from .report import History, Refusal

_keys = itertools.count(1)


class Generations:
    """What one application's settings are from one generation to the next; it watches nothing.

    Args:
        options: the application's.
        owner: what the settings objects report to, the `Reloader`.
        notifier: tells the subscribers.
        mirror: writes the environment.

    Attributes:
        key: names it to the mirror, to pins and in the process's published status.
        lock: held for a whole reload, one at a time.
        publishing: held for the moment of publication, and for what must not fall into it. Whoever
            holds it calls no application's code and waits for no other lock.
        turnstile: held by a publication that code has kept from happening; whoever is about to set
            something then waits for it, a second at most.
        options: those of the settings that are being served.
        reader, files: read the mounts, and look at the settings files outside them.
        inert: it belongs to a generation of another object, so nothing is mirrored or watched.
        stopped: its watch was stopped, so what that has begun is not published any more.
        restart_keys: patterns of keys that a framework reads once, beside those of the options.
        checks: the application's own, changed while `publishing` is held.
        history, progress, lines, warnings: what has been, what is under way, and the log of both.
        observers: called with the result of each reload.
        keeping_problem: why what is accepted cannot be kept; empty if it can, or need not.
    """

    inert = False

    def __init__(self, options: Options, owner: Owner, notifier: Notifier, mirror: Mirror) -> None:
        self.owner = owner
        self._notifier = notifier
        self._mirror = mirror
        self.key: int = next(_keys)
        self.lock: threading.RLock = threading.RLock()
        self.publishing: threading.RLock = threading.RLock()
        self.turnstile: threading.RLock = threading.RLock()
        self.options: Options = options
        self.reader: Reader = Reader()
        self.files: OutsideFiles = OutsideFiles()
        self.stopped: bool = False
        self.restart_keys: tuple[str, ...] = ()
        self.checks: Checks = Checks()
        self.history: History = History()
        self.lines: Lines = Lines()
        self.progress: Progress = Progress(lambda: self.label, self.lines)
        self.warnings: NameWarnings = NameWarnings(self.lines)
        self.observers: tuple[Callable[[ReloadResult], object], ...] = ()
        self.keeping_problem = ""
        self._live: Settings | None = None
        self._snapshot: Settings | None = None
        self._counted: Attachment | None = None

    @property
    def label(self) -> str:
        """The mounts, for messages."""
        return ", ".join(mount.path for mount in self.options.k8s_mounts) or "no mount"

    @property
    def paths(self) -> frozenset[str]:
        """The mounts' directories."""
        return frozenset(mount.path for mount in self.options.k8s_mounts)

    @property
    def has_moved(self) -> bool:
        """A mount is not as it was when what is served was read; the settings are not used."""
        served = self._counted
        snapshots = () if served is None else served.generation.payload.snapshots
        return any(token(each.mount.path) != each.token for each in snapshots)

    @property
    def needs_putting_right(self) -> bool:
        """A variable is not what the mirror left, or a file outside the mounts has changed."""
        return bool(self.drifted) or self.files.differ(self.settings)

    def content_of(self, payload: Payload) -> str:
        """Identify what a payload and the files that were seen with it hold."""
        return f"{payload.digest}{self.files.mark}"

    @property
    def drifted(self) -> tuple[str, ...]:
        """The mirrored variables that the application has changed since."""
        return () if self.inert else tuple(self._mirror.drifted(self.key))

    @property
    def settings(self) -> Settings:
        """The live ones; a `ConfigError` as long as they are being loaded."""
        if self._live is None:
            raise ConfigError("the settings are still being loaded; call the reloader afterwards")
        return self._live

    @property
    def payload(self) -> Payload:
        """What the mounts held when what is served was read."""
        return _dynaconf.attached(self.settings).generation.payload

    def snapshot(self) -> Settings:
        """Give a snapshot of this generation, made once for all who ask."""
        if (snapshot := self._snapshot) is None:
            with self.publishing:
                snapshot = self._snapshot = self._snapshot or _dynaconf.snapshot_of(self.settings)
        return snapshot

    def forget_snapshot(self) -> None:
        """Have the next snapshot made anew: code has set something."""
        self._snapshot = None

    def resume(self) -> None:
        """Mirror what is published, and have the watch find again whatever differs from it."""
        self.stopped = False
        self.reader.saw(self.payload.snapshots)
        plan = _dynaconf.attached(self.settings).generation.plan
        self._mirror.apply({self.key: plan}, put_right=True)

    def mark_fork(self, prepare: Callable[[], object]) -> None:
        """Have something done in a forked child before it reads its settings."""
        if self._live is not None:
            _dynaconf.before_first_use(self._live, prepare)

    def renew_after_fork(self) -> None:
        """Take fresh locks in a forked child: threads that stayed behind may hold the old ones."""
        self.lock = threading.RLock()
        self.publishing, self.turnstile = threading.RLock(), threading.RLock()
        self.progress.reset()
        if self._live is not None:
            _dynaconf.used(self._live)
            self.reader.saw(self.payload.snapshots)

    def adopt(self, settings: Settings) -> None:
        """Publish a new object, the first one or what ``configure()`` made, as a generation."""
        attachment, before = _dynaconf.attached(settings), self._live
        changes = Changes() if before is None else _dynaconf.changes_between(before, settings)
        attachment.values = _dynaconf.flat_values(settings)
        generation = attachment.generation
        with self.publishing:
            self.options = generation.options
            self.reader.saw(generation.payload.snapshots)
            if not self.inert:
                self._mirror.apply({self.key: generation.plan}, put_right=True)
            attachment.build = None
            self._live = settings
            self.lines.begin(settings)
            self._published(attachment, Changes(), None)
            _dynaconf.remember(generation.wrapper, self.owner)
        self.warnings.of_first_load(attachment)
        self._tell(attachment, changes)

    def check(self, candidate: Settings) -> Changes:
        """Give what a candidate changes, and have it checked.

        Raises:
            BaseException: whatever a check raises.
        """
        changes = _dynaconf.changes_between(self.settings, candidate)
        self.checks.run(candidate, changes)
        return changes

    def publish(self, candidate: Settings, changes: Changes) -> None:
        """Make a candidate the generation that is served; harmless if it is done once more."""
        attachment, live = _dynaconf.attached(candidate), self.settings
        if self._counted is attachment:
            return
        lag = report.lag(self.payload, attachment.generation.payload)
        waiting = changes.matching((*self.options.k8s_restart_keys, *self.restart_keys))
        _dynaconf.publish(live, candidate)
        self._published(attachment, waiting, lag)

    def tell(self, changes: Changes, lost: Sequence[str], started: float) -> None:
        """Tell the subscribers and the log of what has been published.

        Args:
            changes: since the generation before.
            lost: settings that went although no source has dropped them.
            started: when the reload began, on the monotonic clock.
        """
        attachment = _dynaconf.attached(self.settings)
        self._tell(attachment, changes)  # first: the rest only goes to the log
        self.warnings.of_lost(self.label, lost)
        self.warnings.of_outdated(self.label, _dynaconf.outdated(changes, attachment))
        self.lines.applied(self.history.generation, changes, self.payload, started)

    def explain(self, error: BaseException, payload: Payload | None) -> ReloadRejected:
        """Make the `ReloadRejected` of what was raised for a payload of this object."""
        generation = _dynaconf.attached(self.settings).generation
        return explain(error, _dynaconf.names(self.settings), generation, payload)

    def refuse(self, content: str, refusal: Refusal) -> bool:
        """Note that content, identified by `content`, was refused; tells whether that is news."""
        is_news = self.history.refused(content, refusal)
        if is_news:
            report.guarded(lambda: self._notify("error", refusal.error), self.lines)
        return is_news

    def unchanged(self) -> None:
        """The mounts hold what is being served; say so where the log has told of a refusal."""
        if self.history.is_refused_by(self):
            self.lines.back(self.label)
        self.history.unchanged()

    def refusal_of(self, payload: Payload) -> ReloadRejected | None:
        """Give the error of this content if it was refused and need not be tried again."""
        return self.history.refusal_of(self.content_of(payload))

    def _published(self, attachment: Attachment, waiting: Changes, lag: float | None) -> None:
        attachment.generation.plan.environment.settle()
        self._snapshot = None
        _dynaconf.note_found_files(self.settings, attachment)
        self.history.applied(waiting, lag, attachment.generation.plan.decision.restart)
        self._counted = attachment  # last: after an interruption all of it is done once more

    def _tell(self, attachment: Attachment, changes: Changes) -> None:
        if changes:
            self._notify("change", changes)
        self.warnings.of_skipped(attachment)
        self.warnings.of_doubles(attachment, _dynaconf.names(self.settings))
        self.warnings.of_contested(self.label, self._mirror.contested(self.key))
        self.warnings.of_restart(self.history.restart_required)
        self.lines.rewritten(lambda: self.drifted)

    def _notify(self, kind: Kind, news: Changes | ReloadRejected) -> None:
        self._notifier.publish(kind, news, self.lines.whose())

    def observed(self, result: ReloadResult) -> None:
        """Tell the observers of a reload that has ended."""
        for observer in self.observers:
            report.guarded(partial(observer, result), self.lines)
