"""A settings object that has something done before it is used for the first time.

A forked child renews itself when it first reads its settings, or an object that was populated with
them. An attribute of a class costs every read; a class that gives way to the usual one costs only
the first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from dynaconf.base import Settings

from . import state
from .generation import attached

_PENDING = "__k8s_reload_first_use__"  # dynaconf takes a name with two underscores for internal

_dict_of: Any = object.__getattribute__


class _Unused:
    """Stands before the class of an object until somebody uses it; see `_unused`."""


def before_first_use(settings: Settings, prepare: Callable[[], object]) -> None:
    """Have `prepare` called before these settings, or what has a part of them, are used again.

    That is what ``from_env()`` gave and what ``populate_obj()`` filled. Whatever `prepare` does
    itself with them is no longer a first use.
    """
    if issubclass(type(settings), _Unused):
        return
    for each in [*_parts(settings), settings]:
        usual: Any = type(each)
        # A populated object may have slots, or a class that cannot be exchanged.
        with suppress(TypeError, AttributeError):
            object.__setattr__(each, "__class__", _unused(usual))
            _dict_of(each, "__dict__")[_PENDING] = prepare


def used(settings: Settings) -> None:
    """Take back `before_first_use`, for these settings and what has a part of them."""
    _usual(settings)
    for each in _parts(settings):
        _usual(each)


def _parts(settings: Settings) -> list[object]:
    targets = (export.target() for export in attached(settings).exports)
    parts: list[object] = [target for target in targets if target is not None]
    for child in map(state.unwrap, state.get(settings, "env_cache").values()):
        parts += [child, *_parts(child)]
    return parts


@cache
def _unused(base: Any) -> type:
    # Not a use: code that looks through all objects, as gevent does, reads `__class__`, and of a
    # module more names with two underscores.
    no_use = "__class__" if issubclass(base, Settings) else "__"

    def get(self: object, name: str) -> Any:
        if name.startswith(no_use):
            return base.__getattribute__(self, name)
        prepare = _usual(self)
        if prepare is not None:
            prepare()
        return getattr(self, name)

    names = {"__module__": base.__module__, "__getattribute__": get}
    return type(base.__name__, (_Unused, base), names)


def _usual(unused: object) -> Callable[[], object] | None:
    """Give an object its usual class back, and what is to be done first."""
    kind = type(unused)
    if not issubclass(kind, _Unused):  # another thread was faster
        return None
    object.__setattr__(unused, "__class__", kind.__bases__[1])
    prepare: Callable[[], object] | None = _dict_of(unused, "__dict__").pop(_PENDING, None)
    return prepare
