"""What stays the very object it is from one generation to the next.

A value that did not change keeps its identity: Django fills ``DATABASES`` in place, and code
compares with ``is``. A settings object that is kept as a setting is the live one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaconf.base import Settings
from dynaconf.utils import missing
from dynaconf.utils.parse_conf import Lazy

from .._model.changes import flatten, same, taken_out
from . import state
from .containers import hand_over
from .generation import attached, attachment_of
from .values import (
    OPTIONS,
    SCALARS,
    copied,
    is_container,
    is_filled,
    others_than_scalars,
    put_raw,
    raw,
)


def keep_identity(live: Settings, candidate: Settings) -> dict[str, Any]:
    """Put the live objects of unchanged values into a candidate that is complete.

    Returns:
        The settings whose values the candidate took over.
    """
    old, published, kept = state.get(live, "store"), attached(live).values, {}
    for name, value in others_than_scalars(state.get(candidate, "store")):
        before = dict.get(old, name, missing)
        if name in OPTIONS or before is missing:
            continue
        if _unchanged(before, value, published, str(name)) and _is_in_order(before, value):
            _put(candidate, name, before)
            kept[str(name)] = before
    return kept


def keep_live(live: Settings, candidate: Settings) -> None:
    """Have a setting that is a generation of these settings be the live object.

    A hook that returns all settings returns such ones too. Dynaconf's notes of its loaders would
    keep each such copy alive, and with it the generation that it came from.
    """
    generation = attached(live).generation
    itself = live if generation.wrapper is None else generation.wrapper
    notes = [*state.get(candidate, "loaded_by_loaders").values()]
    for by_kind in state.get(candidate, "loaded_hooks").values():
        by_kind.update({kind: dict(noted) for kind, noted in by_kind.items() if noted})
        notes.extend(by_kind.values())
    for name, value in others_than_scalars(state.get(candidate, "store")):
        if issubclass(type(value), (dict, list)):  # a lazy object answers for what it wraps
            continue
        behind = state.settings_behind(value)
        found = None if behind is None else attachment_of(behind)
        if found is not None and found.generation.owner is generation.owner:
            _put(candidate, name, itself)
            for noted in notes:
                if noted and name in noted:
                    noted[name] = itself


def adopt_kept(live: Settings, candidate: Settings, kept: Mapping[str, Any]) -> None:
    """Have what an earlier generation made belong to this one, or the earlier one would live on.

    Since 3.3 readers are given the list that dynaconf has cached, so the cache goes along.
    """
    for value in kept.values():
        _adopt(value, attached(candidate).generation.anchor)
    state.share_cache(live, candidate, kept)


def note_loaded(settings: Settings, before: Mapping[Any, Any]) -> None:
    """Count the tables that code has just loaded as published; what it fills in later is not.

    Args:
        settings: the live object.
        before: what it held before code loaded them.
    """
    attachment = attached(settings)
    loaded = {
        str(name): copied(value)
        for name, value in raw(settings).items()
        if isinstance(value, dict) and value is not before.get(name)
    }
    others = {
        key: value
        for key, value in attachment.values.items()
        if key.partition(".")[0] not in loaded
    }
    attachment.values = {**others, **flatten(loaded)}


def _unchanged(old: Any, new: Any, published: Mapping[str, Any], name: str) -> bool:
    """Tell whether a value is what was published, apart from what code has completed in place."""
    if not (is_container(old) and is_container(new)):
        return same(old, new)
    if type(old) is not type(new):
        return False
    if isinstance(old, dict) and _has_other_scalar(old, new):
        return False  # a quick look, which finds most changes
    if not isinstance(old, dict):
        return same(old, new) and not (_has_lazy(old) or _has_lazy(new))
    if _has_lazy(old) or _has_lazy(new):
        return False
    # Copies, since reading dynaconf's dictionaries takes many times as long as plain ones.
    before, now = flatten({name: copied(old)}), flatten({name: copied(new)})
    return all(
        same(before[key], value) if key in before else is_filled(key, value, before, published)
        for key, value in now.items()
    ) and not any(taken_out(key, published, now) for key in before.keys() - now.keys())


def _is_in_order(old: Any, new: Any) -> bool:
    """Tell whether the keys that two unchanged values have in common stand in the same order."""
    if isinstance(old, dict) and isinstance(new, dict):
        before = [key for key in dict.keys(old) if dict.__contains__(new, key)]
        if before != [key for key in dict.keys(new) if dict.__contains__(old, key)]:
            return False
        pairs = [(dict.get(old, key), dict.get(new, key)) for key in before]
    elif isinstance(old, list) and isinstance(new, list):
        pairs = list(zip(list.__iter__(old), list.__iter__(new), strict=False))
    else:
        return True
    return all(_is_in_order(one, other) for one, other in pairs if type(other) not in SCALARS)


def _has_other_scalar(old: dict[Any, Any], new: dict[Any, Any]) -> bool:
    """Tell whether a scalar somewhere in a new dictionary is not what the old one has there."""
    for key, value in dict.items(new):
        before = dict.get(old, key)
        if type(value) in SCALARS:
            differs = not same(before, value)
        else:
            differs = (
                isinstance(value, dict)
                and isinstance(before, dict)
                and _has_other_scalar(before, value)
            )
        if differs:
            return True
    return False


def _has_lazy(value: Any) -> bool:
    if isinstance(value, Lazy):
        return True
    if not (isinstance(value, (dict, list)) and is_container(value)):
        return False
    items = list(dict.values(value)) if isinstance(value, dict) else list.__iter__(value)
    return any(_has_lazy(item) for item in items if type(item) not in SCALARS)


def _put(settings: Settings, name: Any, value: Any) -> None:
    put_raw(state.get(settings, "store"), name, value)
    if name in vars(settings):  # up to 3.2 each setting is an attribute as well
        vars(settings)[name] = value


def _adopt(value: Any, anchor: Settings) -> None:
    if not (isinstance(value, (dict, list)) and is_container(value)):
        return
    hand_over(value, anchor)
    items = dict.values(value) if isinstance(value, dict) else list.__iter__(value)
    for item in items:
        if type(item) not in SCALARS:
            _adopt(item, anchor)
