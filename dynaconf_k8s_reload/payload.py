"""What all mounts of an application say together: variables by name, in one immutable value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from .mounts import Mount, Snapshot

__all__ = ["Payload", "Variable", "came_by_env_from"]


@dataclass(frozen=True, slots=True)
class Variable:
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
        layers: name to the variables that provide it, lowest precedence first.
        variables: name to variable; where several mounts provide a name, the last one's.
        digest: a hash of the content, the same in every process that reads the same content.
    """

    __slots__ = ("digest", "layers", "snapshots", "variables")

    def __init__(self, snapshots: Sequence[Snapshot] = ()) -> None:
        self.snapshots = tuple(snapshots)
        layers: dict[str, list[Variable]] = {}
        for snapshot in self.snapshots:
            for variable in _variables(snapshot):
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
            (variable for variable in self.variables.values() if variable.mount is mount),
            key=lambda variable: variable.name,
        )


def came_by_env_from(provided: Iterable[Variable], value: str | None) -> bool:
    """Tell whether a process that has `value` has it from one of these, as its ``envFrom``.

    A mount can say so itself; otherwise it has if it is what the mount says.
    """
    return any(
        variable.content == value if variable.mount.env_from is None else variable.mount.env_from
        for variable in provided
    )


def _variables(snapshot: Snapshot) -> Iterator[Variable]:
    mount = snapshot.mount
    for key, content in snapshot.files.items():
        name = mount.prefix + key.replace("/", "__")
        yield Variable(name, _decode(content), key, mount)


def _decode(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _digest(snapshots: Sequence[Snapshot]) -> str:
    digest = hashlib.sha256()
    for snapshot in snapshots:
        digest.update(f"{snapshot.mount.path}\0".encode())
        for files in (snapshot.files, snapshot.settings_files):
            digest.update(f"{len(files)}\0".encode())
            for key, content in files.items():
                digest.update(f"{key}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()
