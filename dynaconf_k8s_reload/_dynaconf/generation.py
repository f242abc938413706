"""What this package attaches to a settings object: a frozen generation, and a build under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import field
from types import MappingProxyType
from typing import Any, Protocol

from dynaconf.base import Settings

from .._environ.mirror import Mirror
from .._environ.overlay import Plan
from .._model.options import Options
from .._model.record import record
from .._source.content import Payload

ATTACHMENT = "__k8s_reload__"  # dynaconf takes a name with two underscores for internal
NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Owner(Protocol):
    """What leads a settings object from one generation to the next, as the object knows it.

    Attributes:
        key: names it to the mirror.
        lock: held for a whole reload.
        publishing: held for the moment of publication.
        mirror: writes the environment.
    """

    @property
    def key(self) -> int: ...
    @property
    def lock(self) -> AbstractContextManager[object]: ...
    @property
    def publishing(self) -> AbstractContextManager[object]: ...
    @property
    def mirror(self) -> Mirror: ...

    def constructed(self, settings: Settings, validate: Callable[[], object]) -> None:
        """Validate a new object, and publish it as a first generation."""

    def explaining(self, settings: Settings, step: Callable[[], object]) -> None:
        """Do a step of a first load; what it raises names the culprit."""

    def touched(self) -> None:
        """Code has set something in the published generation."""


@record
class Carried:
    """What code did to the live object and a candidate takes over; never changed once made.

    Attributes:
        code: what was set.
        defaults: dynaconf's defaults, `code` included, to tell what is set later.
        envs: the environments that `setenv` switched through.
        modules: Python modules whose hooks run.
        hooks: functions that run after loading.
        validators: the validators.
        assembly: what code did by dynaconf's own means.
        exports: the objects that code has populated.
    """

    code: Mapping[Any, Any] = field(default_factory=dict)
    defaults: Mapping[Any, Any] = field(default_factory=dict)
    envs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    hooks: tuple[Callable[..., Any], ...] = ()
    validators: tuple[Any, ...] = ()
    assembly: tuple[Any, ...] = ()
    exports: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<Carried, {len(self.code)} settings of code>"


@record
class Generation:
    """What one generation of an application's settings is made of; never changed once made.

    Attributes:
        owner: who leads the object, the `Reloader`.
        options: the options it was constructed with.
        payload: what the mounts held.
        plan: what the payload does to the environment.
        anchor: the object within which the lazy values of this generation resolve.
        keywords: the arguments of ``Dynaconf(...)``.
        wrapper: the lazy wrapper that constructed the object, if one did.
        loads: the application has its environment loaded; otherwise, where it has said so with its
            own list of loaders, code does it later.
        dropped: the application's own loaders that a variable's list leaves out.
    """

    owner: Owner
    options: Options
    payload: Payload
    plan: Plan
    anchor: Any = None
    keywords: Mapping[str, Any] = field(default_factory=dict)
    wrapper: Any = None
    loads: bool = True
    dropped: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Generation of {self.payload!r}>"


@record
class Build:
    """The loading of a generation that is not published yet.

    Attributes:
        carried: what the candidate has still to take over from the live object.
        taken: what it took over.
        predecessors: the ``from_env`` children whose state the candidate's take over.
        completes_at_includes: construction ends without validators, so at the last loader.
        loading: the store and the deleted names, for as long as the loaders run.
        is_candidate: it is to take the place of a published generation.
        validate: the last step of construction, which is put off until all objects stand.
        kept: the settings whose values it shares with the generation before.
        changed: the number of each operation that was done again, and the values that it replaced.
    """

    carried: Carried | None = None
    taken: Carried = field(default_factory=Carried)
    predecessors: dict[str, Any] = field(default_factory=dict)
    completes_at_includes: bool = False
    loading: tuple[dict[Any, Any], set[Any]] | None = None
    is_candidate: bool = False
    validate: Callable[[], object] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    changed: list[tuple[int, dict[Any, Any]]] = field(default_factory=list)


@record
class Attachment:
    """Ties a settings object to its generation, and notes what dynaconf and code put into it.

    Attributes:
        generation: what it is made of.
        build: its loading; ``None`` once it is published, when ``os.environ`` is its environment.
        values: the flat values as they were at publication.
        built: dynaconf's defaults as they were when construction was complete.
        code: what code has set, which a reload keeps.
        modules: the Python modules that loading, not code, put into dynaconf's list of them.
        children: the arguments of each ``from_env`` child, by dynaconf's key for it.
        assembly: what code did to it by dynaconf's own means, to be done to each candidate.
        exports: the objects that code has populated from it.
        files: how each settings file outside the mounts was when it was loaded; ``None`` if
            nobody has looked yet.
    """

    generation: Generation
    build: Build | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    built: Mapping[Any, Any] = field(default_factory=dict)
    code: Mapping[Any, Any] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    children: dict[str, tuple[str, bool, dict[str, Any]]] = field(default_factory=dict)
    assembly: tuple[Any, ...] = ()
    exports: tuple[Any, ...] = ()
    files: Mapping[str, Any] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Attachment:
        """Dynaconf copies a settings object for each hook; the copy belongs where this does."""
        return self

    @property
    def under_way(self) -> Build:
        """The build of an object that is known to be loading."""
        if self.build is None:
            raise RuntimeError("the generation is published")
        return self.build


def attachment_of(settings: object) -> Attachment | None:
    """Give what this package attached to a `Settings`, if anything."""
    found: Attachment | None = vars(settings).get(ATTACHMENT)
    return found


def attached(settings: object) -> Attachment:
    """Give the attachment of a `Settings` that is known to have one."""
    found: Attachment = vars(settings)[ATTACHMENT]
    return found


def published(settings: object) -> Attachment | None:
    """Give the attachment of a complete `Settings`; ``None`` while it loads, or if it is not ours.

    What happens to a complete one is code's doing.
    """
    attachment = attachment_of(settings)
    return None if attachment is None or attachment.build is not None else attachment


def is_copy(settings: object) -> bool:
    """Tell whether this is a copy of the object that goes from one generation to the next.

    Dynaconf makes one for each hook, and an application with ``copy``; it shares the attachment.
    """
    held = vars(settings)  # once, since a publication may exchange it meanwhile
    anchor = held[ATTACHMENT].generation.anchor
    return anchor is not None and vars(anchor) is not held
