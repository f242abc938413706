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
        seen: the environment at the last look, as it is held.
        own: what the mirror has written since, as it is held; what others write after that, or have
            written meanwhile, will still be seen.
        names: what others may have written; whatever is not among them is as the mirror left it.
    """

    def __init__(self, environ: Held) -> None:
        self._environ = environ
        self.seen: dict[Any, Any] = {}
        self.own: dict[Any, Any] = {}
        self.names: frozenset[str] = frozenset()

    def look(self, known: Container[str]) -> None:
        """Look at the environment.

        Args:
            known: the names that count.
        """
        seen, own, names = self.seen, self.own, self.names
        if own:
            seen = {**seen, **own}
            for name in [name for name, text in own.items() if text is None]:
                del seen[name]
            names = names.difference(self._environ.names(own)) if names else names
        now = self._environ.copy()
        if now == seen:
            now = seen
        else:
            every = seen.keys() | now.keys()
            differing = {name for name in every if seen.get(name) != now.get(name)}
            names = names.union(self._environ.names(differing))
            names = frozenset(name for name in names if name in known)
        # Last, and without a call: a signal handler that raises leaves all three as they were.
        self.seen, self.own, self.names = now, {}, names


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
