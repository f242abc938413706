"""Names in sentences: escaped, few of many, counted, and no deeper than the names of files go."""

from __future__ import annotations

from collections.abc import Collection, Container
from itertools import islice

FEW = 3


def escaped(text: str) -> str:
    """Escape what would forge a line of a log, or colour it; letters of any script stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def few(names: Collection[str], at_most: int = FEW) -> str:
    """Name the first of many: ``a, b, c and 997 more``."""
    named = ", ".join(map(escaped, islice(names, at_most)))
    rest = len(names) - at_most
    return f"{named} and {rest:,} more" if rest > 0 else named


def counted(number: int, noun: str) -> str:
    """Count with a noun that agrees: ``1 name``, ``1,000 names``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cut(key: str, known: Container[tuple[str, ...]]) -> str:
    """Cut a dotted key where a value begins, since what stands in a value may be a secret.

    Args:
        key: such as ``API_KEYS.sk-live-4242``, with ``API_KEYS`` the name of a file.
        known: the paths, in upper case, that files and the application's author name.
    """
    parts = key.split(".")
    upper = key.upper().split(".")
    deepest = next((end for end in range(len(parts), 1, -1) if tuple(upper[:end]) in known), 1)
    return escaped(".".join(parts[:deepest]))
