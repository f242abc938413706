"""What all mounts of an application say together: variables by name, in one immutable value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from .._model.mount import Mount
from .fingerprint import Token
from .snapshot import REVISION_LENGTH, Snapshot

UNPARSED: Any = object()


class Variable:
    """One key of one mount, as ``envFrom`` would name it; what it says never changes.

    Attributes:
        name: the mount's prefix and the key, ``sub/x`` written ``sub__x``.
        content: the exact text, or the bytes where they are not UTF-8.
        key: the key in the mount.
        mount: the mount that provides it.
        value: the scalar that the content was parsed to, `UNPARSED` while it has not been, or is
            none.
        places: where the value goes, by the prefix that the application's settings do without;
            shared with the same key's variables of other generations.
    """

    __slots__ = ("content", "key", "mount", "name", "places", "value")

    def __init__(self, content: str | bytes, key: str, mount: Mount) -> None:
        self.name: str = mount.prefix + key.replace("/", "__")
        self.content: str | bytes = content
        self.key: str = key
        self.mount: Mount = mount
        self.value: Any = UNPARSED
        self.places: dict[str, Any] = {}

    def with_content(self, content: str | bytes) -> Variable:
        """Give the same key with another content."""
        variable: Variable = Variable.__new__(Variable)
        variable.name, variable.key, variable.mount = self.name, self.key, self.mount
        variable.content, variable.value, variable.places = content, UNPARSED, self.places
        return variable

    @property
    def source(self) -> str:
        """The file that a person would look at."""
        return f"{self.mount.path}/{self.key}"

    def __repr__(self) -> str:
        return f"Variable({self.name!r} of {self.source})"


class Payload:
    """The snapshots of all mounts, lowest precedence first.

    Attributes:
        snapshots: one for each mount.
        by_snapshot: for each of these, key to variable.
        variables: name to variable; where several mounts provide a name, the last one's.
        shared: the names that several variables provide, to these, lowest precedence first.
        digest: a hash of the content, the same in every process that reads the same content, in
            whatever directories it is.

    Args:
        snapshots: one for each mount.
        before: an earlier payload; what is the same in both is taken from it.
    """

    __slots__ = ("by_snapshot", "digest", "shared", "snapshots", "variables")

    def __init__(self, snapshots: Sequence[Snapshot] = (), before: Payload | None = None) -> None:
        self.snapshots: tuple[Snapshot, ...] = tuple(snapshots)
        self.by_snapshot: tuple[Mapping[str, Variable], ...] = _all_variables(
            self.snapshots, before
        )
        provided = [variable for each in self.by_snapshot for variable in each.values()]
        variables = {variable.name: variable for variable in provided}
        shared = _shared(provided) if len(variables) < len(provided) else {}
        self.variables: Mapping[str, Variable] = MappingProxyType(variables)
        self.shared: Mapping[str, Sequence[Variable]] = MappingProxyType(shared)
        digests = "".join(snapshot.digest for snapshot in self.snapshots)
        self.digest: str = hashlib.sha256(digests.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Payload({len(self.variables)} variables, revision {self.revision})"

    @property
    def revision(self) -> str:
        """The start of the digest, for people."""
        return self.digest[:REVISION_LENGTH]

    def provided(self, name: str) -> Sequence[Variable]:
        """The variables that provide a name, lowest precedence first."""
        return self.shared.get(name) or (self.variables[name],)

    def of_mount(self, mount: Mount) -> list[Variable]:
        """The variables that come from `mount`, sorted by name."""
        held = [
            variable
            for snapshot, provided in zip(self.snapshots, self.by_snapshot, strict=True)
            if snapshot.mount == mount
            for variable in provided.values()
            if self.variables[variable.name] is variable
        ]
        return sorted(held, key=attrgetter("name"))


def came_by_env_from(
    provided: Iterable[Variable], value: str | None, *, mirrored: bool = True
) -> bool:
    """Tell whether a process that has `value` has it from one of these, as its ``envFrom``.

    A mount can say so itself; otherwise it has if it is what the mount says. Of a variable that is
    never mirrored another value is the pod's own, whatever the mount says.
    """
    return any(
        variable.content == value
        if variable.mount.env_from is None or (variable.mount.env_from and not mirrored)
        else variable.mount.env_from
        for variable in provided
    )


def _all_variables(
    snapshots: Sequence[Snapshot], before: Payload | None
) -> tuple[Mapping[str, Variable], ...]:
    """The variables of each snapshot, by key."""
    if before is None or len(before.snapshots) != len(snapshots):
        return tuple(
            _variables(snapshot, Snapshot(snapshot.mount, Token()), {}) for snapshot in snapshots
        )
    return tuple(map(_variables, snapshots, before.snapshots, before.by_snapshot))


def _variables(
    snapshot: Snapshot, before: Snapshot, known: Mapping[str, Variable]
) -> dict[str, Variable]:
    mount, held = snapshot.mount, dict(before.files)
    if before.mount != mount:
        known, held = {}, {}
    return {
        key: known[key] if held.get(key) == content else _anew(known.get(key), content, key, mount)
        for key, content in snapshot.files.items()
    }


def _anew(known: Variable | None, content: bytes, key: str, mount: Mount) -> Variable:
    try:
        text: str | bytes = content.decode()
    except UnicodeDecodeError:
        text = content
    return Variable(text, key, mount) if known is None else known.with_content(text)


def _shared(provided: Iterable[Variable]) -> dict[str, tuple[Variable, ...]]:
    """Give the variables of each name that several provide."""
    by_name: dict[str, tuple[Variable, ...]] = {}
    for variable in provided:
        by_name[variable.name] = (*by_name.get(variable.name, ()), variable)
    return {name: several for name, several in by_name.items() if len(several) > 1}
