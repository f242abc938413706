"""Writing an environment, all of several variables or none; and what others write past that."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from .process import Held


class OthersWrites:
    """Which variables somebody else has written since the mirror did.

    The environment is compared as a whole: to read each variable takes thirty times as long.

    Args:
        environ: the environment.

    Attributes:
        names: what others may have written; whatever is not among them is as the mirror left it.
    """

    def __init__(self, environ: Held) -> None:
        self._environ = environ
        self._seen: dict[Any, Any] = {}  # as it is held
        self.names: frozenset[str] = frozenset()

    def look(self, known: Container[str]) -> bool:
        """Tell whether anything has been written since the last look.

        Args:
            known: the names that count.
        """
        seen, now = self._seen, self._environ.copy()
        self._seen = now
        if now == seen:
            return False
        differing = {name for name in seen.keys() | now.keys() if seen.get(name) != now.get(name)}
        names = self.names.union(self._environ.names(differing))
        self.names = frozenset(name for name in names if name in known)
        return True

    def leave_out(self, values: Mapping[Any, Any]) -> None:
        """Count what the mirror has just written as its own.

        What others write meanwhile, or have written since, will still be seen.

        Args:
            values: names and texts as they are held.
        """
        seen = {**self._seen, **values}
        for name in [name for name, text in values.items() if text is None]:
            del seen[name]
        self._seen = seen
        if self.names:
            self.names = self.names.difference(self._environ.names(values))


def put_all(environ: Held, values: Mapping[Any, Any]) -> BaseException | None:
    """Write variables, and last, in one go, those that move the C array; or undo it all.

    Args:
        environ: the environment.
        values: names and texts as they are held.

    Returns:
        What interrupted it, such as what a signal handler has raised; ``None`` if nothing did.
    """
    now = environ.copy()
    differing = {name: text for name, text in values.items() if text != now.get(name)}
    moving = {name for name, text in differing.items() if text is None or name not in now}
    order = sorted(differing, key=moving.__contains__)
    try:
        environ.put((name, differing[name]) for name in order)
    except BaseException as error:  # noqa: BLE001 -- because it is given to the caller, which raises it
        _undo(environ, reversed(order), now)
        return error
    return None


def _undo(environ: Held, names: Iterable[Any], before: Mapping[Any, Any]) -> None:
    changed = environ.copy()
    for name in names:
        try:
            if changed.get(name) != before.get(name):
                environ.put([(name, before.get(name))])
        except Exception:  # noqa: BLE001, S112 -- because the others are put back all the same, and the first error is what is raised
            continue
