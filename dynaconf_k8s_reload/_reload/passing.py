"""One reload, step by step: read, build, validate, check, publish; or refuse as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Literal

from .. import _dynaconf
from .._environ.mirror import Mirror
from .._model.clock import monotonic
from .._model.errors import ConfigError, MountError, ReloadRejected
from .._model.mount import Mount
from .._model.options import Options
from .._model.record import replace
from .._model.status import ReloadResult
from .._source.content import Payload
from .._source.reading import read
from .._source.snapshot import Snapshot
from . import report
from .candidate import CONFIRM_SECONDS, Candidate, build_all
from .generations import Generations
from .interruption import completely, in_signal_handler, is_foreign, says_nothing_of_content
from .report import Refusal

REPLAYS = 10  # of what code sets meanwhile, before whoever sets has to wait
ATTEMPTS = 2 * REPLAYS  # to publish, before all is built anew


class Pass:
    """Leads the objects that move together from one generation to the next.

    Args:
        mirror: writes the environment.
        members: the objects; their locks are held.
        explicit: code has asked for it: refused content is tried, too, settings files outside the
            mounts are looked at, and variables that the application has changed are put right.

    Attributes:
        again: who is to be reloaded once more afterwards, since a signal handler asked for it.
    """

    def __init__(self, mirror: Mirror, members: Sequence[Generations], *, explicit: bool) -> None:
        self._mirror = mirror
        self._members = members
        self._explicit = explicit
        self._started = monotonic()
        self._read: dict[Mount, Snapshot] = {}
        self.again: list[Generations] = []

    def reload_later(self, member: Generations) -> ReloadResult:
        """Answer a call of ``reload()`` that comes within this one.

        Raises:
            ConfigError: a check or a hook calls it.
        """
        if not in_signal_handler():
            raise ConfigError(
                "a check or a hook called reload() within a reload; subscribe with on_change"
            )
        if member not in self.again:
            self.again.append(member)
        return member.history.result("unchanged", self._started)

    def run(self) -> dict[int, ReloadResult]:
        """Do it, and give each member's result by its key.

        Raises:
            BaseException: what a signal handler raises, if code has asked for the reload.
        """
        give_up = monotonic() + CONFIRM_SECONDS
        while True:
            candidates: list[Candidate] = []
            try:
                candidates += self._read_all()
                if not candidates:
                    return self._results("unchanged", candidates)
                refused = [each.owner.refusal_of(each.payload) for each in candidates]
                if all(refused) and not self._explicit:
                    return self._results("rejected", candidates, refused[0])
                published = self._advance(candidates)
            except BaseException as error:  # what is not the content's gets out below
                if self._explicit and is_foreign(error):
                    raise  # and the content is tried again
                passing = isinstance(error, Exception) and _have_moved(candidates)
                if passing and monotonic() < give_up:
                    continue
                refusal = self._explain(error, candidates)
            else:
                if published:
                    return self._tell(candidates)
                if monotonic() < give_up:
                    continue
                refusal = self._explain(self._restless(candidates), candidates)
            # Out here no frame holds what was raised, whoever looks at frames when it is logged.
            return self._reject(refusal, candidates)

    def _advance(self, candidates: list[Candidate]) -> bool:
        """Build, check and publish; tells whether it came to that."""
        build_all(self._mirror, candidates, put_right=self._explicit)
        if any(each.has_moved and each.reads_mounts for each in candidates):
            return False
        for each in candidates:
            with each.to_blame():
                each.changes = each.owner.check(each.built)
        return self._publish(candidates)

    def read_mounts(self, options: Options) -> list[Snapshot]:
        """Give what an object that is made within this pass loads: the same, where it is read.

        Raises:
            MountError: a mount cannot be read.
        """
        return [self._read.get(mount) or read(mount) for mount in options.k8s_mounts]

    def _read_all(self) -> list[Candidate]:
        """Read each mount once; give a candidate for each object that is to change."""
        self._read = {}
        payloads: dict[tuple[tuple[Mount, ...], str], Payload] = {}
        candidates: list[Candidate] = []
        for member in self._members:
            live, options = member.settings, member.options
            attachment = _dynaconf.attached(live)
            before = attachment.generation.payload
            snapshots = member.reader.read(options, before.snapshots, self._read)
            same = (options.k8s_mounts, before.digest)
            member.warnings.of_mounts(snapshots)
            payload = payloads[same] = payloads.get(same) or Payload(snapshots, before)
            has_changed = member.files.look(live) or payload.digest != before.digest
            if has_changed or (self._explicit and member.needs_putting_right):
                candidates.append(Candidate.of(member, live, options, payload))
            else:  # the same content, perhaps in another directory
                attachment.generation = replace(attachment.generation, payload=payload)
                member.unchanged()
        return candidates

    def _publish(self, candidates: list[Candidate]) -> bool:
        """Publish all candidates, unless code has done something that they do not have."""
        with ExitStack() as turnstiles:
            for attempt in range(ATTEMPTS):
                if attempt == REPLAYS:
                    for each in candidates:
                        turnstiles.enter_context(each.owner.turnstile)
                for each in candidates:
                    _dynaconf.replay(each.live, each.built)
                    each.exports = _dynaconf.renew_exports(each.live, each.built)
                    each.lost = _dynaconf.lost(each.changes, _dynaconf.attached(each.live).values)
                with ExitStack() as locks:
                    for each in candidates:
                        locks.enter_context(each.owner.publishing)
                    if not all(_dynaconf.is_current(each.live, each.built) for each in candidates):
                        return False
                    if all(_dynaconf.is_replayed(each.live, each.built) for each in candidates):
                        self._commit(candidates)
                        return True
        return False

    def _commit(self, candidates: list[Candidate]) -> None:
        if not self._explicit:  # it was still to be published when its watch was stopped
            candidates[:] = [each for each in candidates if not each.owner.stopped]
        plans = {
            each.owner.key: each.attachment.generation.plan
            for each in candidates
            if not each.owner.inert
        }
        self._mirror.apply(plans, put_right=self._explicit)
        completely([partial(each.owner.publish, each.built, each.changes) for each in candidates])

    def _tell(self, candidates: Sequence[Candidate]) -> dict[int, ReloadResult]:
        """Tell whoever wants to know; nothing in here undoes what has been published."""
        for each in candidates:
            for step in each.exports:
                report.guarded(step, each.owner.lines)
            tell = partial(each.owner.tell, each.changes, each.lost, self._started)
            report.guarded(tell, each.owner.lines)
        return self._results("applied", candidates)

    def _explain(self, error: BaseException, candidates: Sequence[Candidate]) -> Refusal:
        failed = next((each for each in candidates if each.failed), None)
        culprit = self._members[0] if failed is None else failed.owner
        rejected = culprit.explain(error, None if failed is None else failed.payload)
        retry = isinstance(error, (MountError, MemoryError)) or says_nothing_of_content(error)
        return Refusal(rejected, culprit, retry=retry)

    def _reject(self, refusal: Refusal, candidates: Sequence[Candidate]) -> dict[int, ReloadResult]:
        """Refuse for all candidates or, if a mount cannot be read, for everybody."""
        contents = {each.owner: each.owner.content_of(each.payload) for each in candidates}
        if not candidates:
            contents = dict.fromkeys(self._members, str(refusal.error))
        news = [member.refuse(content, refusal) for member, content in contents.items()]
        if any(news):
            refusal.culprit.lines.rejected(refusal.error)
        return self._results("rejected", candidates, refusal.error)

    def _restless(self, candidates: Sequence[Candidate]) -> MountError:
        label = candidates[0].owner.label
        if _have_moved(candidates):
            return MountError(
                f"{label} kept changing while settings files in it were loaded; "
                "they are loaded again at the next comparison"
            )
        return MountError(
            f"{label}: code kept switching the environment, adding validators, loading files or "
            "setting values while a generation was built; it is built again at the next comparison"
        )

    def _results(
        self,
        outcome: Literal["applied", "unchanged", "rejected"],
        candidates: Sequence[Candidate],
        error: ReloadRejected | None = None,
    ) -> dict[int, ReloadResult]:
        """Give each member's result; an unreadable mount is everybody's."""
        results = {m.key: m.history.result("unchanged", self._started) for m in self._members}
        for each in candidates:
            key = each.owner.key
            results[key] = each.owner.history.result(outcome, self._started, each.changes, error)
        if error is not None and not candidates:
            for member in self._members:
                results[member.key] = member.history.result(outcome, self._started, error=error)
        return results


def _have_moved(candidates: Sequence[Candidate]) -> bool:
    return any(each.has_moved for each in candidates)
