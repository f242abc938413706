"""Completing a new object: it is validated, and confirmed to be of one generation."""

from __future__ import annotations

from collections.abc import Callable

from dynaconf.base import Settings

from .. import _dynaconf
from .._environ.mirror import Mirror
from .._environ.staging import staged
from .._model.clock import monotonic
from .._model.errors import MountError
from .._source.content import Payload
from .candidate import CONFIRM_SECONDS, Candidate, build_all
from .generations import Generations
from .refusal import without_values


def construct(
    owner: Generations, mirror: Mirror, settings: Settings, validate: Callable[[], object]
) -> None:
    """Validate a new object, and confirm that it is of one generation.

    Where dynaconf itself has looked into a mount, before or beside the loader, the object is built
    once more, in the environment that it will have.

    Args:
        owner: will lead it.
        mirror: writes the environment.
        settings: the object, loaded.
        validate: the last step of its construction.

    Raises:
        BaseException: whatever a validator raises, or a settings file that is read again.
        MountError: a mount kept changing.
    """
    without_values(settings, lambda: _construct(owner, mirror, settings, validate))


def _construct(
    owner: Generations, mirror: Mirror, settings: Settings, validate: Callable[[], object]
) -> None:
    _dynaconf.seal(settings)
    generation = _dynaconf.attached(settings).generation
    candidate = Candidate.of(owner, settings, generation.options, generation.payload)
    if not candidate.reads_mounts:
        with staged(generation.plan.environment):
            validate()
        _dynaconf.seal(settings)
        return
    give_up = monotonic() + CONFIRM_SECONDS
    while True:
        try:
            build_all(mirror, [candidate], put_right=True)
        except Exception:  # perhaps only because a mount has moved meanwhile
            if not candidate.has_moved or monotonic() > give_up:
                raise
        else:
            if not (candidate.has_moved and candidate.reads_mounts):
                break
            if monotonic() > give_up:
                raise MountError(
                    f"{owner.label} kept changing while settings files in it were loaded; "
                    "start again once its writer rests"
                )
        read = owner.reader.read(candidate.options, candidate.payload.snapshots)
        candidate.payload = Payload(read, candidate.payload)
    _dynaconf.publish(settings, candidate.built)
