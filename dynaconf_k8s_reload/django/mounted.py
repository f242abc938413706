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
    prefixes = _prefixes(_dynaconf.prefix(snapshot))
    for name, variable in _dynaconf.attached(snapshot).payload.variables.items():
        prefix = next((each for each in prefixes if name.startswith(each)), "")
        if prefix or not reloader.options.prefixed_only(variable.mount):
            setting = name.removeprefix(prefix).partition("__")[0].upper()
            yield Provided(setting, variable, bool(prefix))


def _prefixes(prefix: object) -> list[str]:
    own = prefix.upper().split(",") if isinstance(prefix, str) else []
    return [f"{each}_" for each in (*own, "DYNACONF")]
