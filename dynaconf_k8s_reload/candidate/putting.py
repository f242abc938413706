"""Putting loaded values into a settings object, as ``Settings.set`` does but at less expense.

A number, a boolean or a text under a plain name replaces whatever was there: no rule of dynaconf
for nesting, merging or tokens applies to it, so it goes straight to where `set` would store it.
Everything else is left to `set`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from dynaconf import default_settings
from dynaconf.base import RESERVED_ATTRS, UPPER_DEFAULT_SETTINGS, Settings
from dynaconf.loaders.base import SourceMetadata

from . import state
from .indexing import Indexed
from .lazy import SCALARS

INTERNAL = frozenset({*RESERVED_ATTRS, *UPPER_DEFAULT_SETTINGS})
FOLLOWING = "FollowsMounts"  # our own, which leaves what loaders set to the class behind it
DEFAULTS = SourceMetadata("set_method", "default_settings")


def is_scalar(value: object) -> bool:
    """Tell whether dynaconf stores this as it is, without parsing it any further."""
    return type(value) in SCALARS and not (type(value) is str and value.startswith("@"))


def put_all(settings: Any, entries: Iterable[tuple[str, Any, SourceMetadata]]) -> None:
    """Set each key to its parsed value.

    Args:
        settings: the object that is being loaded.
        entries: key, value and source, in the order in which they apply.
    """
    separators = tuple(
        separator
        for option in ("NESTED_SEPARATOR_FOR_DYNACONF", "INDEX_SEPARATOR_FOR_DYNACONF")
        if (separator := settings.get(option))
    )
    kind: Any = type(settings)
    sets = [each for each in kind.__mro__ if "set" in vars(each) and each.__name__ != FOLLOWING]
    is_dynaconfs = sets[0] is Settings  # a subclass may make something else of a value
    put = _putting(settings, as_attributes="__core__" not in vars(settings))
    state.clear_cache(settings)
    for key, value, source in entries:
        if is_dynaconfs and is_scalar(value) and (name := _plain_name(key, kind, separators)):
            put(name, value, source)
        else:
            settings.set(key, value, loader_identifier=source, validate=False)
    state.clear_cache(settings)


@lru_cache(maxsize=16 * 1024)  # names only, and hardly a ConfigMap has more of them
def _plain_name(key: str, kind: Any, separators: tuple[str, ...]) -> str:
    """Give the name under which ``Settings.set`` stores a key; nothing if that is not plain."""
    upper = key.upper()
    is_plain = (
        key.isidentifier()
        and key.isascii()
        and "__" not in key
        and upper not in INTERNAL
        and not hasattr(kind, upper)
        and not any(separator in key for separator in separators)
    )
    return upper if is_plain else ""


def put_defaults(settings: Any) -> None:
    """Set dynaconf's own defaults where nothing is set (``dynaconf.loaders.default_loader``)."""
    store, given = state.get(settings, "store"), state.get(settings, "defaults")
    put = _putting(settings, as_attributes=True)
    for key, value in vars(default_settings).items():
        if not key.isupper() or dict.__contains__(store, key) or dict.__contains__(given, key):
            continue
        if is_scalar(value):
            put(key, value, DEFAULTS)
        elif (contained := state.contained(settings, value)) is not None and _is_plain(value):
            put(key, contained, DEFAULTS)
        else:
            settings.set(key, value, loader_identifier="default_settings", validate=False)
    state.clear_cache(settings)


def _is_plain(value: Any) -> bool:
    """Tell whether there is nothing to parse in a value, however deep."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return is_scalar(value)


def _putting(settings: Any, *, as_attributes: bool) -> Callable[[str, Any, SourceMetadata], None]:
    """Give the function that stores a scalar under an upper-case name.

    Args:
        settings: the object that is being loaded.
        as_attributes: dynaconf keeps such a setting as an attribute too: up to 3.2 every one,
            since then its own options.
    """
    store, deleted = state.get(settings, "store"), state.get(settings, "deleted")
    history, attributes = state.get(settings, "loaded_by_loaders"), vars(settings)
    spelling = store.spelling if issubclass(type(store), Indexed) else None

    def put(key: str, value: Any, source: SourceMetadata) -> None:
        dict.__setitem__(store, key, value)
        if spelling is not None:
            spelling.add(key)
        if deleted:
            deleted.discard(key)
        known = history.get(source)
        if known is None:
            history[source] = {key: value}
        else:
            known[key] = value
        if as_attributes:
            attributes[key] = value

    return put
