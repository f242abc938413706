"""The environment as one generation sees it, laid over the process's own; nothing here writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from itertools import chain

from .._model.names import Names
from .._model.options import Options
from .._model.record import record
from .._source.content import Payload
from .process import put, texts_of
from .rules import Decision


class Environment(Mapping[str, str]):
    """The process environment as one generation sees it: its own values first, then the process's.

    Attributes:
        provided: values of the names that this generation mirrors.
        pending: values of all names that are about to be written or unset (``None``), by this
            generation or one that is published with it, until `settle`.
        written: names that code has written or removed while the generation was built; they are
            the process's.
    """

    def __init__(
        self,
        process: Mapping[str, str],
        provided: Mapping[str, str] | None = None,
        pending: Mapping[str, str | None] | None = None,
    ) -> None:
        self.process = process
        self.provided: Mapping[str, str] = provided or {}
        self.pending = pending or {}
        self.written: set[str] = set()

    def providing(self, provided: Mapping[str, str]) -> Environment:
        """Give the same environment for a generation that mirrors some names."""
        environment = Environment(self.process, provided, self.pending)
        environment.written = self.written  # one set, for what is written is written for all
        return environment

    def __getitem__(self, name: str) -> str:
        if name not in self.written:
            if name in self.provided:
                return self.provided[name]
            if name in self.pending:
                value = self.pending[name]
                if value is None:
                    raise KeyError(name)
                return value
        return self.process[name]

    def __contains__(self, name: object) -> bool:
        if name not in self.written:
            if name in self.provided:
                return True
            if name in self.pending:
                return self.pending[str(name)] is not None
        return name in self.process

    def __iter__(self) -> Iterator[str]:
        # A list would ask each for its length first, which doubles the work with each one beneath.
        names = dict.fromkeys(chain(self.process, self.provided, self.pending))
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Environment({len(self.provided)} mirrored names)"

    def as_dict(self) -> dict[str, str]:
        """Copy it; unlike ``dict(os.environ)``, safe while another thread removes variables."""
        texts = texts_of(self.process)
        for name, text in {**self.pending, **self.provided}.items():
            if name not in self.written:
                put(texts, name, text)
        return texts

    def settle(self) -> None:
        """The mirror has been applied: all names but its own are the process's again."""
        self.pending = {}

    def uncover(self, name: str) -> None:
        """Show the process's own value of a name, since code has just written or removed it."""
        self.written.add(name)


@record
class Proposal:
    """What an owner would publish.

    Attributes:
        payload: what its mounts hold.
        terms: the options and names by which it is decided.
        dotenv: reads the application's ``.env``, which provides what nothing else does.
    """

    payload: Payload
    terms: tuple[Options, Names]
    dotenv: Callable[[], Mapping[str, str]] = dict


@record
class Plan:
    """What publishing a payload does to the environment; made without touching it, never changed.

    Attributes:
        environment: the environment as it will be.
        unclaimed: the variables that none of the mounts' names is of, when it was planned.
        decision: what becomes of each of the mounts' names.
        differing: mirrored names that the process had with another value than the mount's first.
        payload: what it publishes.
        dotenv: values of ``.env`` that show again, of names that nothing else provides any more.
        terms: the options and the names by which it was decided.
    """

    environment: Environment
    unclaimed: Mapping[str, str]
    decision: Decision
    differing: tuple[str, ...]
    payload: Payload
    dotenv: Mapping[str, str] = field(default_factory=dict)
    terms: object = None

    def __repr__(self) -> str:
        return f"<Plan of {self.payload!r}>"

    def beneath(self) -> dict[str, str]:
        """Give the variables that are loaded before the mounts, what code wrote since included."""
        beneath = dict(self.unclaimed)
        for name in self.environment.written - self.decision.claims.keys():
            text = self.environment.get(name)
            if text is None:
                beneath.pop(name, None)
            else:
                beneath[name] = text
        return beneath
