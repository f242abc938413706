"""Variables become settings here, by the rules of dynaconf's ``env_loader``."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from typing import Any

from dynaconf.base import Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import missing
from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data

from . import candidate as ground
from .candidate import Attachment
from .mounts import Mount
from .payload import Variable
from .reserved import is_reserved

__all__ = ["Paths", "load_environment", "load_mount"]

# No value of TOML begins with one of these, nor does a token of dynaconf: such text is itself.
PLAIN_LETTERS = frozenset(string.ascii_letters) - frozenset("tfinTF")

# A number that TOML and Python write alike, which is most of them.
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?", re.ASCII)


class Paths:
    """Takes the names of settings apart as ``Settings.set`` does, in one case for comparing."""

    def __init__(self, settings: Settings) -> None:
        self._separator = settings.get("NESTED_SEPARATOR_FOR_DYNACONF")
        index = settings.get("INDEX_SEPARATOR_FOR_DYNACONF")
        self._index = re.compile(rf"{index}(\d+)") if index else None
        self._nested = settings.get("DOTTED_LOOKUP_FOR_DYNACONF") is True

    def of(self, key: str) -> tuple[str, ...]:
        """Give the parts of a name."""
        dotted = key if self._index is None else self._index.sub(r"[\1]", key)
        if self._separator:
            dotted = dotted.replace(self._separator, ".")
        if not self._nested or ("." not in dotted and "[" not in dotted):
            return (dotted.upper(),)
        return tuple(re.split(r"[.\[]", dotted.upper()))

    def top(self, key: str) -> str:
        """Give the name of the top-level setting that a name belongs to."""
        return self.of(key)[0]


class Entry:
    """One text on its way to becoming a setting; kept for the next generation, which may have it.

    Attributes:
        key: the setting's name, without the application's prefix.
        content: text to parse, or bytes.
        source: where it comes from.
        literal: it is not to be parsed.
        variable: the variable of a mount, ``None`` for one of the environment.
        value: the scalar that it was parsed to, `missing` while it has not been, or is none.
    """

    __slots__ = ("content", "key", "literal", "source", "value", "variable")

    def __init__(
        self,
        key: str,
        content: str | bytes,
        source: SourceMetadata,
        variable: Variable | None = None,
    ) -> None:
        self.key = key
        self.content = content
        self.source = source
        self.literal = variable is not None and variable.mount.secret
        self.variable = variable
        self.value: Any = missing


def load_environment(
    settings: Any, variables: Iterable[tuple[str, str]], wanted: str | None
) -> None:
    """Set what variables of the environment say.

    Args:
        settings: the object that is being loaded.
        variables: names and texts.
        wanted: the one top-level setting to load, in upper case; ``None`` for all.
    """
    listed = list(variables)
    for prefix in _prefixes(settings):
        start = _start(prefix)
        source = SourceMetadata("env_global", prefix, "global")
        entries = [
            Entry(name[len(start) :], text, source)
            for name, text in listed
            if name.startswith(start)
        ]
        _set_all(settings, entries, wanted)


def load_mount(settings: Any, mount: Mount, attachment: Attachment, wanted: str | None) -> None:
    """Set what one mount says, the names that carry a prefix of the application last."""
    claims, shadowed = attachment.plan.decision.claims, attachment.plan.shadowed
    starts = tuple(map(_start, _prefixes(settings)))
    variables = [
        variable
        for variable in attachment.payload.of_mount(mount)
        if variable.name in claims or variable.name in shadowed
    ]
    if wanted is not None:
        variables = _only(wanted, variables, starts, Paths(settings))
    carrying = [_entries(attachment, _starting(variables, start), start) for start in starts]
    plain: list[Entry] = []
    if not attachment.options.prefixed_only(mount):
        others = [variable for variable in variables if not variable.name.startswith(starts)]
        plain = _entries(attachment, others, "")
    _warn_of_doubles(settings, plain, carrying, attachment)
    for group in (plain, *carrying):
        _set_all(settings, group, wanted)


def _only(
    wanted: str, variables: Iterable[Variable], starts: Iterable[str], paths: Paths
) -> list[Variable]:
    """Keep the variables that one top-level setting may come from."""
    return [
        variable
        for variable in variables
        if any(
            variable.name.startswith(start) and paths.top(variable.name[len(start) :]) == wanted
            for start in ("", *starts)
        )
    ]


def _starting(variables: Sequence[Variable], start: str) -> Sequence[Variable]:
    return [variable for variable in variables if variable.name.startswith(start)]


def _entries(attachment: Attachment, variables: Iterable[Variable], start: str) -> list[Entry]:
    """Make the entries of variables, or take them over from the generation before."""
    known = (attachment.known or attachment.entries).get(start, {})
    shadowed = attachment.plan.shadowed
    entries = {
        variable.name: entry
        if (entry := known.get(variable.name)) is not None
        and entry.variable is variable
        and variable.name not in shadowed
        else _new_entry(attachment, variable, start)
        for variable in variables
    }
    attachment.entries.setdefault(start, {}).update(entries)
    return list(entries.values())


def _new_entry(attachment: Attachment, variable: Variable, start: str) -> Entry:
    name, content = variable.name, variable.content
    if name in attachment.plan.shadowed:
        source = SourceMetadata("env_global", name, "global")
        return Entry(name[len(start) :], attachment.plan.shadowed[name], source)
    if isinstance(content, str) and content.endswith("\n") and content.count("\n") == 1:
        content = content[:-1]  # what `kubectl create --from-file` of an edited file adds
    source = SourceMetadata("k8s_mount", variable.source, "global")
    return Entry(name[len(start) :], content, source, variable)


def _warn_of_doubles(
    settings: Settings,
    plain: Sequence[Entry],
    carrying: Iterable[Sequence[Entry]],
    attachment: Attachment,
) -> None:
    if not plain:
        return
    paths = Paths(settings)
    prefixed = {paths.of(entry.key): entry.variable for group in carrying for entry in group}
    for entry in plain:
        winner = prefixed.get(paths.of(entry.key))
        if winner is not None:
            attachment.reloader.warn_once(
                f"mount {winner.mount.path}: {winner.name} and {entry.key} both name the setting "
                f"{entry.key}; the prefixed one wins, delete one of them"
            )


def _prefixes(settings: Any) -> list[str | Any]:
    """The prefixes in the order in which ``env_loader`` applies them; ``False`` is no prefix."""
    configured = ground.prefix(settings)
    if configured is None:
        return []
    prefixes: list[Any] = []
    if configured is False or configured.upper() != "DYNACONF":
        prefixes.append("DYNACONF")
    prefixes.extend(configured.upper().split(",") if configured else [configured])
    return prefixes


def _start(prefix: str | Any) -> str:
    return "" if prefix is False else f"{prefix}_"


def _set_all(settings: Any, entries: Iterable[Entry], wanted: str | None) -> None:
    """Set each entry as ``env_loader`` does a variable, all of them parsed before the first is set.

    See ``dynaconf.loaders.env_loader.load_from_env``.
    """
    known_only = wanted is None and settings.get("IGNORE_UNKNOWN_ENVVARS_FOR_DYNACONF")
    paths = Paths(settings)
    parsed = [
        (entry.key, _parse(settings, entry), entry.source)
        for entry in entries
        if (wanted is None or wanted == paths.top(entry.key))
        and not (entry.variable is not None and _is_reserved(entry.key, paths))
        and not (known_only and settings.get(entry.key, default=missing) is missing)
    ]
    keep = settings.filter_strategy
    if keep:
        parsed = [
            (name, kept, source)
            for key, value, source in parsed
            for name, kept in keep({key: value}).items()
        ]
    ground.put_all(settings, parsed)


def _is_reserved(key: str, paths: Paths) -> bool:
    """Tell whether a mount may not provide this, by whatever separators the application has."""
    return is_reserved(key) or is_reserved(paths.top(key))


def _parse(settings: Any, entry: Entry) -> Any:
    if entry.value is not missing:
        return entry.value
    content = entry.content
    if isinstance(content, bytes) or (entry.literal and not content.startswith("@")):
        value: Any = content
    elif entry.literal:
        value = ground.Literal(content)
    elif content[:1] in PLAIN_LETTERS:
        value = content
    elif number := NUMBER.fullmatch(content):
        value = float(content) if number[1] else int(content)
    else:
        text = boolean_fix(content)
        value = parse_conf_data(text, tomlfy=True, box_settings=settings)
        if content.startswith("@") or not ground.is_scalar(value):
            return ground.pinned(value, settings)
    entry.value = value
    return value
