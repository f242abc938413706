"""Which of dynaconf's sources has set a setting, according to dynaconf's own notes."""

from __future__ import annotations

import os
from typing import Any

from dynaconf.base import Settings

from .._model.record import record
from . import state

VALIDATOR = "validator"
TOLD = {
    "default_settings": "dynaconf's default",
    "init_kwargs": "a keyword of Dynaconf(...)",
    "env_global": "the environment",
    "setdefault": "a default of a validator, or of code",
    VALIDATOR: "a validator",
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
    """Give the last source that has set a setting, or what holds it; ``None`` if it is not set."""
    name = path[0]
    if settings.get(".".join(path), default=settings) is settings:
        return None
    source: Source | None = None
    names = state.names(settings)
    for metadata, loaded in list(state.get(settings, "loaded_by_loaders").items()):
        # A validator sets again whatever it finds, since it may cast it.
        is_again = source is not None and getattr(metadata, "identifier", "") == VALIDATOR
        if not is_again and any(names.top(str(key)) == name for key in loaded or ()):
            source = _told(metadata)
    return source or Source("set by code, after it was loaded", None)


def _told(metadata: Any) -> Source:
    loader = str(getattr(metadata, "loader", metadata))
    identifier = str(getattr(metadata, "identifier", ""))
    if os.path.isabs(identifier):
        return Source(identifier, identifier)
    told = TOLD.get(loader) or TOLD.get(identifier)
    if told is None and loader == "set_method":
        told = "set by code" if identifier == "undefined" else f"code, or a hook, as {identifier}"
    return Source(told or f"the loader {loader}", None)
