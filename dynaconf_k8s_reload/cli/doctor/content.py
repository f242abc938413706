"""What may be wrong with the content of the mounts, whatever process reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from ..._model.names import Names
from ..._source.content import Payload, Variable
from ..findings import KEYS, Finding
from ..kinds import FAILS, kind_of_variable
from ..screen import printable

BYTE_ORDER_MARK = "\ufeff"


def check_content(payload: Payload, names: Names) -> Iterator[Finding]:
    """Check names and texts.

    Args:
        payload: what the mounts hold.
        names: how the application makes settings of names.
    """
    yield from _failing(payload)
    yield from _colliding(payload, names)
    yield from _differing_by_case(payload, names)
    yield from _with_line_endings(payload)


def _failing(payload: Payload) -> Iterator[Finding]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for variable in payload.variables.values():
        kind = kind_of_variable(variable)
        if kind.endswith(FAILS):
            found[variable.mount.path, kind.removesuffix(FAILS)].append(variable.key)
    for (path, token), keys in found.items():
        yield Finding(
            "value-fails",
            "error",
            "Values that cannot be parsed",
            f"{path}: {token} fails at what follows it in {KEYS}.",
            "An update with them is refused as a whole, and a process does not start with them: "
            "correct the values, or drop the token.",
            keys,
        )


def _colliding(payload: Payload, names: Names) -> Iterator[Finding]:
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in payload.variables:
        for variable in payload.provided(name):
            for key in names.keys(name):
                keys[variable.mount.path, ".".join(names.path(key))].append(variable.key)
    for (path, setting), colliding in keys.items():
        if len(colliding) > 1:
            yield Finding(
                "colliding-keys",
                "warning",
                "Several keys name one setting",
                f"{path}: {KEYS} are all {printable(setting)}, so one of them wins.",
                "Keep one of them, and delete the others.",
                colliding,
            )


def _differing_by_case(payload: Payload, names: Names) -> Iterator[Finding]:
    """Find keys that are two settings although they look like one: a prefix has a case."""
    found: dict[tuple[str, str], list[Variable]] = defaultdict(list)
    for variable in payload.variables.values():
        found[variable.mount.path, variable.name.upper()].append(variable)
    for (path, _), variables in found.items():
        settings = {names.path(key) for each in variables for key in names.keys(each.name)}
        if len(settings) > 1:
            yield Finding(
                "case-only",
                "warning",
                "Keys that differ only by case",
                f"{path}: {KEYS} are not one setting, since a prefix is taken off in upper "
                "case only.",
                "Write keys in upper case.",
                [variable.key for variable in variables],
            )


def _with_line_endings(payload: Payload) -> Iterator[Finding]:
    yield from _where(
        payload,
        lambda text: "\r\n" in text,
        "windows-line-ending",
        "Windows line endings",
        "their variables end in a carriage return, and other programs take that for "
        "a part of the value.",
    )
    yield from _where(
        payload,
        lambda text: text.startswith(BYTE_ORDER_MARK),
        "byte-order-mark",
        "Values that begin with a byte order mark",
        "it is a part of the value: such a number or boolean is text.",
    )


def _where(
    payload: Payload, holds: Callable[[str], bool], name: str, title: str, why: str
) -> Iterator[Finding]:
    by_mount: dict[str, list[str]] = defaultdict(list)
    for variable in payload.variables.values():
        if isinstance(variable.content, str) and holds(variable.content):
            by_mount[variable.mount.path].append(variable.key)
    for path, keys in by_mount.items():
        yield Finding(
            name,
            "warning",
            title,
            f"{path}: {KEYS}; {why}",
            "Save the files that the ConfigMap is made of as UTF-8, with Linux line endings.",
            keys,
        )
