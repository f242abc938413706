"""A settings object that has something done before it is used for the first time.

A forked child renews itself when it first reads its settings. An attribute of a class costs every
read; a class that gives way to the usual one costs only the first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from dynaconf.base import Settings

from . import state

_PENDING = "__k8s_reload_first_use__"  # dynaconf takes a name with two underscores for internal


class _Unused:
    """Stands before the class of a settings object until somebody uses it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":  # asked by whoever looks through all objects, as gevent does
            return type(self)
        prepare = _usual(self)
        if prepare is not None:
            prepare()
        return getattr(self, name)


def before_first_use(settings: Settings, prepare: Callable[[], object]) -> None:
    """Have `prepare` called before these settings, or one of ``from_env()``, are used again.

    Whatever it does itself with them is no longer a first use.
    """
    if issubclass(type(settings), _Unused):
        return
    for each in (settings, *map(state.unwrap, state.get(settings, "env_cache").values())):
        if not issubclass(type(each), _Unused):
            vars(each)[_PENDING] = prepare
            usual: Any = type(each)
            object.__setattr__(each, "__class__", _unused(usual))


@cache
def _unused(base: type) -> type:
    return type(base.__name__, (_Unused, base), {"__module__": base.__module__})


def _usual(settings: object) -> Callable[[], object] | None:
    """Give a settings object its usual class back, and what is to be done first."""
    kind = type(settings)
    if not issubclass(kind, _Unused):  # another thread was faster
        return None
    object.__setattr__(settings, "__class__", kind.__bases__[1])
    prepare: Callable[[], object] | None = vars(settings).pop(_PENDING, None)
    return prepare
