"""`Fallback`: a first load that is refused goes on with the content that was accepted last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynaconf.base import Settings

from .. import _dynaconf
from .._environ.mirror import Mirror
from .._environ.overlay import Proposal
from .._model.errors import ConfigError, MountError, RedactedCause, ReloadRejected
from .._model.record import replace
from .._model.status import ReloadResult
from .._source.content import Payload
from .._source.fingerprint import name_of
from .candidate import Candidate, build_all
from .construction import construct
from .generations import Generations
from .last_good import UnusableError, keep, recall
from .refusal import KEPT, without_values
from .report import Refusal


class Fallback:
    """Keeps what one application has accepted, and gives it back to a first load that is refused.

    Without ``k8s_last_good`` it does neither.

    Args:
        owner: leads the application's object.
        mirror: writes the environment.
    """

    def __init__(self, owner: Generations, mirror: Mirror) -> None:
        self._owner = owner
        self._mirror = mirror
        self._error: Exception | None = None
        self._refused: Payload | None = None
        self._written_at = ""

    def begin(self) -> None:
        """Forget what refused an earlier object: after ``configure()`` a new one begins to load."""
        self._error = self._refused = None

    def take(self, settings: Settings, error: Exception) -> bool:
        """Give a new object the last good content in place of what it could not be loaded with.

        Tells whether it did: it does not where the options are wrong or a mount cannot be read,
        which no content would mend.
        """
        attachment = _dynaconf.attached(settings)
        generation = attachment.generation
        directory = generation.options.k8s_last_good
        is_content = not isinstance(error, (ConfigError, MountError))
        if directory is None or not is_content or self._error or self._owner.inert:
            return False
        try:
            recalled = recall(directory, generation.payload.snapshots)
        except UnusableError as unusable:
            self._owner.lines.begin(settings)
            self._owner.lines.warning(
                "the last good content in %s cannot be used: %s", directory, unusable
            )
            return False
        payload = Payload(recalled.snapshots)
        proposal = Proposal(payload, (generation.options, _dynaconf.names(settings)))
        _, plans = self._mirror.plan({self._owner.key: proposal}, put_right=True)
        self._error, self._refused = error, generation.payload
        self._written_at = recalled.written_at
        plan = plans[self._owner.key]
        attachment.generation = replace(generation, payload=payload, plan=plan)
        return True

    def construct(self, settings: Settings, validate: Callable[[], object]) -> None:
        """Complete a new object; see `construction.construct`, whose errors it raises."""
        refusing = self._error
        if refusing is None:
            try:
                construct(self._owner, self._mirror, settings, validate)
            except Exception as error:  # whatever refuses a first load
                if not self.take(settings, error):
                    raise
                refusing = error
            else:
                return
        if not self._is_built(settings):
            raise refusing

    def adopted(self) -> None:
        """A new object is served: keep its content, or say that it serves what was kept."""
        error, refused, self._error = self._error, self._refused, None
        if error is None or refused is None:
            self.keep()
            return
        rejected = self._rejected(error, refused)
        self._owner.refuse(refused.digest, Refusal(rejected, self._owner, retry=False))
        problem = (
            f"serving the last good content, of {self._written_at}, since the content of "
            f"{self._owner.label} is refused: {rejected.reason}; correct it"
        )
        self._owner.history.falls_back(problem)
        self._owner.lines.warning("%s", problem)

    def observe(self, result: ReloadResult) -> None:
        """Keep what a reload has applied."""
        if result.outcome == "applied":
            self.keep()

    def keep(self) -> None:
        """Keep what is served."""
        owner = self._owner
        directory = owner.options.k8s_last_good
        if directory is None or owner.inert:
            return
        try:
            keep(directory, owner.payload.snapshots)
        except OSError as error:
            owner.keeping_problem = (
                f"the last good content cannot be kept in {directory} ({name_of(error)}); mount an "
                "emptyDir there that the process's user may write"
            )
            owner.lines.once(owner.keeping_problem)
        else:
            owner.keeping_problem = ""

    def _is_built(self, settings: Settings) -> bool:
        """Build the object again, from the last good content; tells whether that is accepted."""
        _dynaconf.seal(settings)
        generation = _dynaconf.attached(settings).generation
        candidate = Candidate.of(self._owner, settings, generation.options, generation.payload)

        def build() -> None:
            build_all(self._mirror, [candidate], put_right=True)

        try:
            without_values(settings, build)
        except Exception as error:  # noqa: BLE001 -- because what refuses the content may raise anything
            self._owner.lines.begin(settings)
            told = error if _is_explained(error) else RedactedCause.of(error)
            self._owner.lines.warning("the last good content is refused, too: %s", told)
            return False
        _dynaconf.publish(settings, candidate.built)
        return True

    def _rejected(self, error: Any, refused: Payload) -> ReloadRejected:
        if _is_explained(error):
            return ReloadRejected(
                f"{error}; {KEPT}", keys=error.keys, mount=error.mount, reason=error.reason
            )
        return self._owner.explain(error, refused)


def _is_explained(error: Any) -> bool:
    """Tell whether its text names the culprit and shows no value; see `without_values`."""
    return isinstance(getattr(error, "keys", None), tuple)
