"""What publishing a payload does to the environment, as values: nothing here writes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from .._model.options import Options
from .._model.reserved import is_reserved
from .._source.content import Payload, Variable

__all__ = ["Claims", "Decision", "Environment", "Plan", "decide"]

RESERVED = "reserved for dynaconf, so it is no setting either"
MAX_BYTES = 128 * 1024  # MAX_ARG_STRLEN of Linux, execve(2): one longer string fails every exec

Claims = Mapping[str, str | None]


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
        names = dict.fromkeys([*self.process, *self.provided, *self.released])
        wanted = (name for name in names if name not in without)
        return {name: text for name in wanted if (text := self.get(name)) is not None}

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
        terms: the options and the prefix by which it was decided.
    """

    environment: Environment
    beneath: Mapping[str, str]
    decision: Decision
    differing: tuple[str, ...]
    terms: object = None

    @property
    def shadowed(self) -> Mapping[str, str]:
        """Name to the process's value, for names where ``k8s_env_wins`` says it wins."""
        return self.decision.shadowed

    @property
    def skipped(self) -> Mapping[str, str]:
        """Name to the reason why it is not mirrored."""
        return self.decision.skipped


class Decision(NamedTuple):
    """What becomes of each name of a payload: one is claimed, shadowed or reserved.

    Attributes:
        claims: name to text, ``None`` for a name that becomes a setting but is not mirrored.
        shadowed: name to the process's value, which wins.
        skipped: name to the reason why it is not mirrored.
    """

    claims: dict[str, str | None]
    shadowed: dict[str, str]
    skipped: dict[str, str]


def decide(
    payload: Payload,
    options: Options,
    prefix: object,
    process: Callable[[str], str | None],
    before: tuple[Payload, Decision] | None = None,
) -> Decision:
    """Decide what becomes of each name.

    Args:
        payload: what the mounts provide.
        options: the application's.
        prefix: its ``envvar_prefix``.
        process: gives a variable as the process has it without our own writes.
        before: an earlier payload and what was decided of it, by the same options and prefix.
    """
    earlier, decided = before or (Payload(), Decision({}, {}, {}))
    rules = _Rules(options, prefix, process)
    anew = payload.shared.keys() | earlier.shared.keys()
    decision = Decision({}, {}, {})
    for name, variable in payload.variables.items():
        last = None if rules.env_wins or name in anew else earlier.variables.get(name)
        if last is variable:
            if name in decided.claims:
                decision.claims[name] = decided.claims[name]
            if name in decided.skipped:
                decision.skipped[name] = decided.skipped[name]
        elif last and last.mount is variable.mount and decided.claims.get(name) is not None:
            reason = _fault_of_content(variable)  # the name and the mount have none
            decision.claims[name] = None if reason else str(variable.content)
            if reason:
                decision.skipped[name] = reason
        else:
            rules.decide(name, payload.provided(name), decision)
    return decision


class _Rules:
    """By what a name is judged that nothing is known of."""

    def __init__(
        self, options: Options, prefix: object, process: Callable[[str], str | None]
    ) -> None:
        prefixes = ["DYNACONF_"]
        if isinstance(prefix, str):
            prefixes.extend(f"{each}_" for each in prefix.upper().split(","))
        self.options = options
        self.starts = ("", *prefixes)
        self.protected = _any_of(options.k8s_protected)
        self.env_wins = _any_of(options.k8s_env_wins) if options.k8s_env_wins else None
        self.process = process

    def decide(self, name: str, provided: Sequence[Variable], decision: Decision) -> None:
        fault = _fault_of_name(name, self.starts, self.protected)
        if fault == RESERVED:
            decision.skipped[name] = fault
            return
        own = self.process(name) if self.env_wins and self.env_wins.fullmatch(name) else None
        if own is not None:
            decision.shadowed[name] = own
            decision.skipped[name] = "shadowed by k8s_env_wins"
            return
        decision.claims[name], reason = _mirrored(provided, self.options, fault)
        if reason:
            decision.skipped[name] = reason


def _mirrored(provided: Sequence[Variable], options: Options, fault: str) -> tuple[str | None, str]:
    """Give the text of the last mount that is mirrored, and why what stands above it is not.

    The setting is the last mount's; but ``envFrom`` has what the mirrored ones say, whatever a
    secret mount provides by the same name.

    Args:
        provided: the variables of one name.
        options: the application's.
        fault: why none of this name is mirrored, if so.
    """
    why_not = ""
    for variable in reversed(provided):
        if options.mirrors(variable.mount):
            reason = fault or _fault_of_content(variable)
            if not reason:
                return str(variable.content), why_not
            why_not = why_not or reason
    return None, why_not


@lru_cache(maxsize=16 * 1024)  # names only, and no ConfigMap has more of them
def _fault_of_name(name: str, starts: Sequence[str], protected: re.Pattern[str]) -> str:
    """Say why no variable of this name is mirrored; nothing where it may be."""
    if any(is_reserved(name.removeprefix(start)) for start in starts):
        return RESERVED
    if protected.fullmatch(name):
        return "protected"
    return "" if name.isascii() and name.isidentifier() else "not a C identifier"


def _fault_of_content(variable: Variable) -> str:
    """Say why a variable is not mirrored; nothing where it may be."""
    name, content = variable.name, variable.content
    if isinstance(content, bytes):
        return "not UTF-8 text"
    if "\0" in content:
        return "contains NUL"
    try:
        size = len(name) + 1 + len(content if content.isascii() else os.fsencode(content))
    except UnicodeEncodeError:
        return "not text in the locale of the process"
    return "128 KiB or more with its name" if size >= MAX_BYTES else ""


@lru_cache
def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """Make one expression of shell-style patterns, as `fnmatchcase` would read each."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")
