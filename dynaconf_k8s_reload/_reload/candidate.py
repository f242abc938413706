"""One object's next generation, on its way to publication, together with those of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field
from functools import partial

from dynaconf.base import Settings

from .. import _dynaconf
from .._dynaconf import Attachment, Build, Generation
from .._environ.mirror import Mirror
from .._environ.overlay import Proposal
from .._environ.staging import staged
from .._model.changes import Changes
from .._model.options import Options
from .._model.record import record
from .._source.content import Payload
from .._source.fingerprint import token
from .generations import Generations

CONFIRM_SECONDS = 5.0  # for which a build is begun again since its mounts move


@record
class Candidate:
    """What one object is about to be.

    Attributes:
        owner: leads the object.
        live: the object.
        options: by which it is built.
        payload: what its mounts hold.
        built: the candidate itself, once there is one.
        changes: from the live generation to this one.
        failed: it is at fault that none of them is published.
        lost: settings that go although no source has dropped them.
        exports: what has to be done to the objects that code populated from the live one.
    """

    owner: Generations
    live: Settings
    options: Options
    payload: Payload
    built: Settings
    changes: Changes = field(default_factory=Changes)
    failed: bool = False
    lost: list[str] = field(default_factory=list)
    exports: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(
        cls, owner: Generations, live: Settings, options: Options, payload: Payload
    ) -> Candidate:
        """Begin a candidate for `live`; `build_all` builds it."""
        return cls(owner, live, options, payload, live)

    @contextmanager
    def to_blame(self) -> Iterator[None]:
        """Note whose fault it is when something is raised."""
        try:
            yield
        except BaseException:  # only noted
            self.failed = True
            raise

    @property
    def attachment(self) -> Attachment:
        """The candidate's."""
        return _dynaconf.attached(self.built)

    @property
    def has_moved(self) -> bool:
        """One of its mounts holds something else than was read."""
        return any(token(each.mount.path) != each.token for each in self.payload.snapshots)

    @property
    def reads_mounts(self) -> bool:
        """Dynaconf itself has looked into one of its mounts."""
        paths = [snapshot.mount.path for snapshot in self.payload.snapshots]
        return _dynaconf.reads_mounts(self.built, paths)


def build_all(mirror: Mirror, candidates: Sequence[Candidate], *, put_right: bool = False) -> None:
    """Build candidates that are to be published together, and validate them once all stand.

    Meanwhile this thread lives in the generation that they will be: its environment, and the
    applications' own settings objects, are the candidates'.

    Args:
        mirror: writes the environment.
        candidates: to build.
        put_right: as for `Mirror.plan`.

    Raises:
        BaseException: whatever dynaconf, a settings file, a hook or a validator raises.
    """
    joint, plans = mirror.plan(
        {
            each.owner.key: Proposal(
                each.payload,
                (each.options, _dynaconf.names(each.live)),
                partial(_dynaconf.dotenv, each.live),
            )
            for each in candidates
        },
        put_right=put_right,
    )
    with ExitStack() as stage:
        stage.enter_context(staged(joint))
        for each in candidates:
            generation = Generation(
                each.owner.owner, each.options, each.payload, plans[each.owner.key]
            )
            each.built = _dynaconf.candidate_for(each.live, Attachment(generation, Build()))
            wrapper = _dynaconf.attached(each.live).generation.wrapper
            stage.enter_context(_dynaconf.shown_to_thread(wrapper, each.built))
            with each.to_blame():
                _dynaconf.load_candidate(each.live, each.built)
        for each in candidates:
            with each.to_blame():
                _dynaconf.complete_candidate(each.live, each.built)
    joint.settle()
    for each in candidates:
        _dynaconf.keep_live(each.live, each.built)
        # without what code has added since
        each.attachment.values = _dynaconf.flat_values(each.built)
        each.attachment.under_way.kept = _dynaconf.keep_identity(each.live, each.built)
