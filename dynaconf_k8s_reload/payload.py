"""What all mounts of an application say together: variables by name, in one immutable value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from .mounts import Mount, Snapshot
from .tokens import Token

__all__ = ["Payload", "Variable", "came_by_env_from"]


class Variable(NamedTuple):
    """One key of one mount, as ``envFrom`` would name it.

    Attributes:
        name: the mount's prefix and the key, ``sub/x`` written ``sub__x``.
        content: the exact text, or the bytes where they are not UTF-8.
        key: the key in the mount.
        mount: the mount that provides it.
    """

    name: str
    content: str | bytes
    key: str
    mount: Mount

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
        layers: name to the variables that provide it, lowest precedence first.
        variables: name to variable; where several mounts provide a name, the last one's.
        digest: a hash of the content, the same in every process that reads the same content.

    Args:
        snapshots: one for each mount.
        before: an earlier payload; what is the same in both is taken from it.
    """

    __slots__ = ("by_snapshot", "digest", "layers", "snapshots", "variables")

    def __init__(self, snapshots: Sequence[Snapshot] = (), before: Payload | None = None) -> None:
        self.snapshots = tuple(snapshots)
        self.by_snapshot = _all_variables(self.snapshots, before)
        layers: dict[str, list[Variable]] = {}
        for variables in self.by_snapshot:
            for variable in variables.values():
                layers.setdefault(variable.name, []).append(variable)
        self.layers: Mapping[str, Sequence[Variable]] = MappingProxyType(layers)
        self.variables: Mapping[str, Variable] = MappingProxyType(
            {name: provided[-1] for name, provided in layers.items()}
        )
        self.digest = _digest(self.snapshots)

    def __repr__(self) -> str:
        return f"Payload({len(self.variables)} variables, revision {self.revision})"

    @property
    def revision(self) -> str:
        """The start of the digest, for people."""
        return self.digest[:16]

    def of_mount(self, mount: Mount) -> list[Variable]:
        """The variables that come from `mount`, sorted by name."""
        return sorted(
            [variable for variable in self.variables.values() if variable.mount is mount],
            key=itemgetter(0),
        )


def came_by_env_from(provided: Iterable[Variable], value: str | None) -> bool:
    """Tell whether a process that has `value` has it from one of these, as its ``envFrom``.

    A mount can say so itself; otherwise it has if it is what the mount says.
    """
    return any(
        variable.content == value if variable.mount.env_from is None else variable.mount.env_from
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
    mount, earlier = snapshot.mount, before.files if before.mount is snapshot.mount else {}
    variables: dict[str, Variable] = {}
    for key, content in snapshot.files.items():
        if earlier.get(key) == content:
            variables[key] = known[key]
        else:
            name = mount.prefix + key.replace("/", "__")
            variables[key] = Variable(name, _decode(content), key, mount)
    return variables


def _decode(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _digest(snapshots: Sequence[Snapshot]) -> str:
    parts: list[bytes] = []
    for snapshot in snapshots:
        parts.append(f"{snapshot.mount.path}\0".encode())
        for files in (snapshot.files, snapshot.settings_files):
            parts.append(f"{len(files)}\0".encode())
            for key, content in files.items():
                parts += (f"{key}\0{len(content)}\0".encode(), content)
    return hashlib.sha256(b"".join(parts)).hexdigest()
