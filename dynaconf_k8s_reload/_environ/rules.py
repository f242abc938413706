"""What becomes of each name of the mounts: mirrored, or why not; nothing here writes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum
from fnmatch import translate
from functools import lru_cache

from .._model.mount import Mount
from .._model.names import REMEMBERED, Names
from .._model.options import Options
from .._model.record import record, replace
from .._source.content import Payload, Variable, came_by_env_from

PRINTABLE = r"[ -<>-~]+"  # Kubernetes, IsRelaxedEnvVarName
MAX_BYTES = 128 * 1024  # MAX_ARG_STRLEN of Linux, execve(2): one longer string fails every exec

Claims = Mapping[str, str | None]


class NotMirrored(str, Enum):
    """Why a name is not mirrored."""

    RESERVED = "reserved for dynaconf, so it is not a setting either"
    SHADOWED = "shadowed by k8s_env_wins"
    PROTECTED = "protected"
    NO_IDENTIFIER = "not a C identifier"
    NOT_UTF8 = "not UTF-8 text"
    NUL = "contains NUL"
    NOT_IN_LOCALE = "not text in the locale of the process"
    TOO_LARGE = "128 KiB or more with its name"

    __str__ = str.__str__  # for messages, on every Python


@record
class Decision:
    """What becomes of each name of a payload: one is claimed, shadowed or reserved.

    It never changes once it is made.

    Attributes:
        claims: name to text, ``None`` for a name that becomes a setting but is not mirrored.
        shadowed: name to the process's value, which wins where ``k8s_env_wins`` says so.
        skipped: name to the reason why it is not mirrored.
        gives: mount to whether ``envFrom`` gives such names of it as ``LOG-LEVEL``, for those that
            have had any.
        started_with: reserved name to what the process got of it by ``envFrom``, as far as it did.
        restart: those of them that the mount has otherwise by now.
    """

    claims: dict[str, str | None] = field(default_factory=dict)
    shadowed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, NotMirrored] = field(default_factory=dict)
    gives: dict[Mount, bool] = field(default_factory=dict)
    started_with: dict[str, str | None] = field(default_factory=dict)
    restart: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Decision of {len(self.claims)} names>"


def decide(
    payload: Payload,
    options: Options,
    names: Names,
    process: Callable[[str], str | None],
    before: tuple[Payload, Decision] | None = None,
) -> Decision:
    """Decide what becomes of each name.

    Args:
        payload: what the mounts provide.
        options: the application's.
        names: how it makes settings of names.
        process: gives a variable as the process has it without our own writes.
        before: an earlier payload and what was decided of it, by the same options and names.
    """
    earlier, decided = before or (Payload(), Decision())
    rules = _Rules(payload, options, names, process, decided)
    anew = payload.shared.keys() | earlier.shared.keys()
    decision = rules.decision
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
            rules.decide(name, payload.provided(name))
    outdated = tuple(rules.outdated())
    return replace(decision, restart=outdated) if outdated else decision


class _Rules:
    """Judges a name of which nothing is known yet."""

    def __init__(
        self,
        payload: Payload,
        options: Options,
        names: Names,
        process: Callable[[str], str | None],
        decided: Decision,
    ) -> None:
        self.payload = payload
        self.options = options
        self.names = names
        self.protected = _any_of(options.k8s_protected)
        self.env_wins = _any_of(options.k8s_env_wins) if options.k8s_env_wins else None
        self.process = process
        self.decision = Decision(gives={**decided.gives}, started_with={**decided.started_with})

    def decide(self, name: str, provided: Sequence[Variable]) -> None:
        decision = self.decision
        if self.names.is_reserved(name):
            decision.skipped[name] = NotMirrored.RESERVED
            value = self.process(name)
            if came_by_env_from(provided, value):
                decision.started_with.setdefault(name, value)
            return
        own = self.process(name) if self.env_wins and self.env_wins.fullmatch(name) else None
        if own is not None:
            decision.shadowed[name] = own
            decision.skipped[name] = NotMirrored.SHADOWED
            return
        decision.claims[name], reason = self._mirrored(name, provided)
        if reason:
            decision.skipped[name] = reason

    def outdated(self) -> Iterator[str]:
        """Give the reserved names of which a restart would bring something else."""
        for name, value in self.decision.started_with.items():
            variable = self.payload.variables.get(name)
            if value != (None if variable is None else variable.content):
                yield name

    def _mirrored(
        self, name: str, provided: Sequence[Variable]
    ) -> tuple[str | None, NotMirrored | None]:
        """Give the text of the last mount that is mirrored, and why what stands above it is not.

        The setting is the last mount's; but ``envFrom`` has what the mirrored ones say, whatever a
        secret mount provides by the same name.
        """
        why_not: NotMirrored | None = None
        for variable in reversed(provided):
            if self.options.mirrors(variable.mount):
                fault = _fault_of_name(name, self.protected)
                if fault is NotMirrored.NO_IDENTIFIER and self._gives(variable):
                    fault = None
                reason = fault or _fault_of_content(variable)
                if not reason:
                    return str(variable.content), why_not
                why_not = why_not or reason
        return None, why_not

    def _gives(self, variable: Variable) -> bool:
        """Tell whether ``envFrom`` gives names of a mount that are no C identifiers.

        Kubernetes has given more and more of them: from 1.8 on those with a dash or a dot, by
        default from 1.32 on all that are printable. So it counts what the process was given.
        """
        if not re.fullmatch(PRINTABLE, variable.name):
            return False
        gives, mount = self.decision.gives, variable.mount
        if mount not in gives:
            gives[mount] = mount.env_from is True or any(
                self.process(each.name) is not None
                for each in self.payload.variables.values()
                if each.mount is mount and not _is_identifier(each.name)
            )
        return gives[mount]


@lru_cache(REMEMBERED)
def _fault_of_name(name: str, protected: re.Pattern[str]) -> NotMirrored | None:
    """Say why no variable of this name is mirrored, if none is."""
    if protected.fullmatch(name):
        return NotMirrored.PROTECTED
    return None if _is_identifier(name) else NotMirrored.NO_IDENTIFIER


def _is_identifier(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _fault_of_content(variable: Variable) -> NotMirrored | None:
    """Say why a variable of this content is not mirrored, if it is not."""
    name, content = variable.name, variable.content
    if isinstance(content, bytes):
        return NotMirrored.NOT_UTF8
    if "\0" in content:
        return NotMirrored.NUL
    try:
        size = len(name) + 1 + len(content if content.isascii() else os.fsencode(content))
    except UnicodeEncodeError:
        return NotMirrored.NOT_IN_LOCALE
    return NotMirrored.TOO_LARGE if size >= MAX_BYTES else None


@lru_cache
def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """Make one expression of shell-style patterns, as `fnmatchcase` would read each."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")
