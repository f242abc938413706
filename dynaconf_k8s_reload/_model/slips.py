"""Finding the name that somebody meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest", "one_slip_apart"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Give ``" (did you mean 'mirror'?)"`` for the known name closest to `name`, or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def one_slip_apart(name: str, known: str) -> bool:
    """Tell whether one letter missing, too many, wrong or swapped makes the difference."""
    if abs(len(name) - len(known)) > 1 or name == known:
        return False
    start = 0
    while start < min(len(name), len(known)) and name[start] == known[start]:
        start += 1
    rest, other = name[start:], known[start:]
    return (
        rest[1:] == other
        or rest == other[1:]
        or rest[1:] == other[1:]
        or (rest[:2] == other[1::-1] and rest[2:] == other[2:])
    )
