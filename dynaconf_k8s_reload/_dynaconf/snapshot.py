"""A copy of a settings object that nothing which happens later can reach."""

from __future__ import annotations

import copy
from typing import Any

from dynaconf.base import Settings

from .._model.record import replace
from . import state
from .generation import ATTACHMENT, Attachment, attached
from .unbound import OwnValidators
from .values import PinnedLazy, is_container

OWN_CONTAINERS = ("loaded_envs", "loaded_py_modules", "loaded_files", "loaders", "post_hooks")


def snapshot_of(settings: Settings) -> Settings:
    """Copy the published generation: containers and lazy values are new, all else is shared.

    Lazy values resolve within the copy and the environment of this moment, however late they are
    evaluated. The cost is linear in the number of values.
    """
    original = vars(settings)
    copied: Settings = object.__new__(type(settings))
    held = vars(copied)
    held.update(original)
    attachment = attached(settings)
    held[ATTACHMENT] = Attachment(replace(attachment.generation, anchor=copied, wrapper=None))
    if "__core__" in original:
        core = held["__core__"] = copy.copy(original["__core__"])
        core.config = copy.copy(core.config)
        core.obj = copied
        core._cache = {}
        core.cache_enabled = True
    for name in OWN_CONTAINERS:
        state.put(copied, name, list(state.get(copied, name)))
    state.put(copied, "deleted", set(state.get(copied, "deleted")))
    state.put(copied, "defaults", dict(dict.items(state.get(copied, "defaults"))))
    state.put(copied, "env_cache", {})
    history = state.get(copied, "loaded_by_loaders")
    state.put(
        copied, "loaded_by_loaders", {key: dict(loaded) for key, loaded in list(history.items())}
    )
    state.put(
        copied,
        "validators",
        OwnValidators(copied, validators=list(state.get(copied, "validators"))),
    )
    state.put(copied, "store", _Copier(copied).copy(state.get(settings, "store")))
    if "__core__" not in original:  # up to 3.2 each setting is an attribute as well
        held.update(
            (key, value) for key, value in dict.items(state.get(copied, "store")) if key in held
        )
    return copied


class _Copier:
    """Copies dynaconf's containers for a new owner, without evaluating or parsing anything."""

    def __init__(self, owner: Settings) -> None:
        self._owner = owner
        self._environment: dict[str, str] | None = None

    def copy(self, value: Any) -> Any:
        twin: Any
        if isinstance(value, PinnedLazy):
            return PinnedLazy.of(value, self._owner, self._frozen(value))
        if isinstance(value, dict) and is_container(value):
            twin = {} if type(value) is dict else type(value)(box_settings=self._owner)
            for key, item in list(dict.items(value)):
                dict.__setitem__(twin, key, self.copy(item))
            return twin
        if isinstance(value, list) and is_container(value):
            items = [self.copy(item) for item in list.__iter__(value)]
            if type(value) is list:
                return items
            kind: Any = type(value)
            twin = kind(box_settings=self._owner)
            list.extend(twin, items)
            return twin
        return value

    def _frozen(self, lazy: PinnedLazy) -> dict[str, str]:
        if self._environment is None:
            self._environment = {
                name: text
                for name in lazy.environment
                if (text := lazy.environment.get(name)) is not None
            }
        return self._environment
