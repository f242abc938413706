"""What a settings object is called, for lines of a log that several of them write."""

from __future__ import annotations

import sys

from dynaconf.base import Settings

from . import state
from .generation import attached

DYNACONFS = "DYNACONF"  # the prefix where none is chosen


def title_of(settings: Settings) -> str:
    """Give the prefix that the application has chosen, else the module that the object is in.

    It is empty as long as neither is known. Of several modules that have the object, the one listed
    last is taken: a module comes before those that it imports, and so before the one that made it.
    """
    prefixes = [prefix.removesuffix("_") for prefix in state.names(settings).own]
    if prefixes and prefixes != [DYNACONFS]:
        return ",".join(prefixes)
    held = (settings, attached(settings).generation.wrapper)
    for name, module in reversed(list(sys.modules.items())):
        values = list(getattr(module, "__dict__", {}).values())
        if any(value is each for value in values for each in held if each is not None):
            return name
    return ""
