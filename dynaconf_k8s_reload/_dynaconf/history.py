"""Which of dynaconf's sources has set a setting, according to dynaconf's own notes."""

from __future__ import annotations

import os
from typing import Any

from dynaconf.base import Settings
from dynaconf.utils import missing

from .._model.changes import same
from .._model.record import record
from . import state
from .values import raw

TOLD = {
    "default_settings": "dynaconf's default",
    "init_kwargs": "a keyword of Dynaconf(...)",
    "env_global": "the environment",
    "setdefault": "a default of a validator, or of code",
    "code": "set by code",  # in a candidate, see `takeover`
}


@record
class Source:
    """Who set a setting last.

    Attributes:
        told: in words.
        file: the settings file, if it was one.
    """

    told: str
    file: str | None


def source_of(settings: Settings, path: tuple[str, ...]) -> Source | None:
    """Give the last source that has set a setting; ``None`` if it is not set.

    What dynaconf notes of a table has everything that was in it before, too: a part of it is of the
    source in which it is new.
    """
    if _within(raw(settings), path) is missing:
        return None
    source, held = None, missing
    names = state.names(settings)
    for metadata, loaded in list(state.get(settings, "loaded_by_loaders").items()):
        if getattr(metadata, "identifier", "") == "validator":
            continue  # it sets again whatever it finds, since it may cast it
        for key, value in dict(loaded or {}).items():
            start = names.path(str(key))
            now = _within(value, path[len(start) :]) if path[: len(start)] == start else missing
            if now is not missing and (len(start) == len(path) or not same(held, now)):
                source, held = _told(metadata), now
    return source or Source("set by code, after it was loaded", None)


def _within(value: Any, path: tuple[str, ...]) -> Any:
    """Give what a table or a list has at a path; `missing` if it has nothing there."""
    for part in path:
        if isinstance(value, dict):
            found = (item for key, item in dict.items(value) if str(key).upper() == part)
            value = next(found, missing)
        elif isinstance(value, list) and part.rstrip("]").isdigit():
            items, index = [*list.__iter__(value)], int(part.rstrip("]"))
            value = items[index] if index < len(items) else missing
        else:
            return missing
    return value


def _told(metadata: Any) -> Source:
    loader = str(getattr(metadata, "loader", metadata))
    identifier = str(getattr(metadata, "identifier", ""))
    if os.path.isabs(identifier):
        return Source(identifier, identifier)
    told = TOLD.get(loader) or TOLD.get(identifier)
    if told is None and loader == "set_method":
        told = "set by code" if identifier == "undefined" else f"code, or a hook, as {identifier}"
    return Source(told or f"the loader {loader}", None)
