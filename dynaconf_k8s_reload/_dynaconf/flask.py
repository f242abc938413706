"""``app.config`` made live: dynaconf's settings first, beneath them what is the application's own.

``FlaskDynaconf`` copies every setting into ``app.config`` at the start, and serves a setting that
has gone from that copy for good. Here the copies are removed, so following needs no event.
"""

from __future__ import annotations

import copy
from collections import ChainMap
from contextlib import suppress
from typing import Any

from dynaconf.contrib.flask_dynaconf import DynaconfConfig
from flask import Flask
from flask.helpers import get_debug_flag

from .. import _dynaconf
from .._model.changes import same
from . import state
from .assembly import recorded

ABSENT = object()


class LiveConfig(DynaconfConfig):  # type: ignore[misc] # reason: dynaconf is untyped
    """Looks up a setting of the current generation, else what code or Flask gave.

    Its own storage holds Flask's defaults and what ``update()`` put there. ``items()``,
    ``values()``, ``copy()`` and ``get_namespace()`` give one generation. ``dict(config)`` looks up
    key by key and may meet one that has just gone; use ``config.copy()`` instead.
    """

    def __missing__(self, key: str) -> Any:
        """Compute DEBUG, which Flask takes from a variable, and so perhaps from a mount."""
        if key == "DEBUG":
            return get_debug_flag()
        raise KeyError(key)

    def __len__(self) -> int:
        return len(self._chain_map())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} keys>"

    def __delitem__(self, key: str) -> None:
        """Forget what code or Flask gave; what dynaconf provides stays."""
        self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Give a value, or the default; a dotted key reaches into a nested one."""
        with suppress(KeyError):
            default = dict.__getitem__(self, key)
        return self._settings.get(key, default)

    def pop(self, key: str, default: Any = ABSENT) -> Any:
        """Give a value, and forget what code or Flask gave; what dynaconf provides stays."""
        try:
            value = self[key]
        except KeyError:
            if default is ABSENT:
                raise
            return default
        dict.pop(self, key, None)
        return value

    def setdefault(self, key: str, value: Any = None) -> Any:
        """Give a value; where there is none, set it first, in each later generation too."""
        try:
            present = self[key]
        except KeyError:
            self[key] = value
            return value
        if key != "DEBUG" and not dict.__contains__(self, key):  # which Flask always has
            settings: Any = state.settings_behind(self._settings)
            with recorded(settings, _set_if_absent, key, value):
                pass  # there is a value now, but a later generation may have none
        return present

    def copy(self) -> dict[str, Any]:
        """Copy one generation."""
        return dict(self.items())

    def _chain_map(self) -> ChainMap[str, Any]:
        settings = copy.copy(_dynaconf.unwrap(self._settings))  # which no publication touches
        return ChainMap(settings, {"DEBUG": get_debug_flag(), **dict(dict.items(self))})


def _set_if_absent(settings: Any, key: str, value: Any) -> None:
    try:
        settings[key]
    except KeyError:
        settings[key] = value


def settings_of(app: object) -> Any:
    """Give dynaconf's settings of an app or of its configuration; None if it has none of them."""
    config: Any = app.config if isinstance(app, Flask) else app
    return config._settings if isinstance(config, DynaconfConfig) else None


def make_live(app: Flask) -> None:
    """Make the configuration of an app on dynaconf live, in place.

    Where dynaconf's copy has taken the place of one of Flask's defaults, the default is put back; a
    value that code gave before ``FlaskDynaconf`` cannot be.
    """
    config: Any = app.config
    settings = _dynaconf.unwrap(settings_of(app))
    config.__class__ = LiveConfig
    computed = {"DEBUG": get_debug_flag()}
    for key, value in list(dict.items(config)):
        if same(value, computed.get(key, ABSENT)) or same(value, settings.get(key, ABSENT)):
            if key in app.default_config and key not in computed:
                dict.__setitem__(config, key, app.default_config[key])
            else:
                dict.__delitem__(config, key)
