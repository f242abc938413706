"""The environment as one generation sees it, laid over the process's own; nothing here writes."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from .rules import Decision


class Environment(Mapping[str, str]):
    """The process environment as one generation sees it: its own values first, then the process's.

    Attributes:
        provided: values of the names that this generation mirrors.
        released: values of the names that it gives back or unsets (``None``), until `settle`.
    """

    def __init__(
        self,
        process: Mapping[str, str],
        provided: Mapping[str, str] | None = None,
        released: Mapping[str, str | None] | None = None,
    ) -> None:
        self.process = process
        self.provided = provided or {}
        self.released = released or {}

    def __getitem__(self, name: str) -> str:
        if name in self.provided:
            return self.provided[name]
        if name in self.released:
            value = self.released[name]
            if value is None:
                raise KeyError(name)
            return value
        return self.process[name]

    def __contains__(self, name: object) -> bool:
        if name in self.provided:
            return True
        if name in self.released:
            return self.released[str(name)] is not None
        return name in self.process

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys([*self.process, *self.provided, *self.released])
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Environment({len(self.provided)} mirrored names)"

    def as_dict(self, without: Container[str] = ()) -> dict[str, str]:
        """Copy it; unlike ``dict(os.environ)``, safe while another thread removes variables.

        Args:
            without: the names to leave out.
        """
        names, process = [name for name in self.process if name not in without], self.process
        texts = {name: text for name in names if (text := process.get(name)) is not None}
        for name, left in self.released.items():
            if left is None:
                texts.pop(name, None)
            elif name not in without:
                texts[name] = left
        texts.update((name, text) for name, text in self.provided.items() if name not in without)
        return texts

    def settle(self) -> None:
        """The mirror has been applied: names that went are the process's own again."""
        self.released = {}


class Plan(NamedTuple):
    """What publishing a payload does to the environment; made without touching it.

    Attributes:
        environment: the environment as it will be.
        beneath: the variables that are loaded before the mounts: none of the mounts' names.
        decision: what becomes of each of the mounts' names.
        differing: mirrored names that the process had with another value than the mount's first.
        terms: the options and the names by which it was decided.
    """

    environment: Environment
    beneath: Mapping[str, str]
    decision: Decision
    differing: tuple[str, ...]
    terms: object = None
