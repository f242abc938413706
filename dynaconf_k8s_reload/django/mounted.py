"""Which settings and variables the mounts of this process provide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .. import _dynaconf
from .._reload.reloader import Reloader
from .._source.content import Variable

__all__ = ["Provided", "provided"]


class Provided(NamedTuple):
    """A setting that a mount provides.

    Attributes:
        name: its top-level name.
        variable: where it comes from.
        prefixed: the key carries the application's prefix.
    """

    name: str
    variable: Variable
    prefixed: bool


def provided(reloader: Reloader) -> Iterator[Provided]:
    """Give the settings that the mounts provide now."""
    snapshot = reloader.snapshot()
    names = _dynaconf.names(snapshot)
    for name, variable in _dynaconf.attached(snapshot).payload.variables.items():
        only = reloader.options.prefixed_only(variable.mount)
        prefixed = name.startswith(tuple(filter(None, names.prefixes)))
        for key in names.keys(name, prefixed_only=only):
            yield Provided(names.top(key), variable, prefixed)
