"""Putting loaded values into a settings object, as ``Settings.set`` does but at less expense.

A number, a boolean or a text under a plain name replaces whatever was there: no rule of dynaconf
for nesting, merging or tokens applies to it, so it goes straight to where `set` would store it.
Everything else is left to `set`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from dynaconf import default_settings
from dynaconf.base import RESERVED_ATTRS, UPPER_DEFAULT_SETTINGS, Settings
from dynaconf.loaders.base import SourceMetadata

from . import state
from .values import SCALARS

INTERNAL = frozenset({*RESERVED_ATTRS, *UPPER_DEFAULT_SETTINGS})
FOLLOWING = "FollowsMounts"  # our own, which leaves what loaders set to the class behind it
DEFAULTS = SourceMetadata("set_method", "default_settings")


def is_scalar(value: object) -> bool:
    """Tell whether dynaconf stores this as it is, without parsing it any further."""
    return type(value) in SCALARS and not (type(value) is str and value[:1] == "@")


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
    plain_name = _plain_names(kind, separators)

    def plain() -> Iterator[tuple[str, Any, SourceMetadata]]:
        for key, value, source in entries:
            if is_dynaconfs and is_scalar(value) and (name := plain_name(key)):
                yield name, value, source
            else:
                settings.set(key, value, loader_identifier=source, validate=False)

    _put(settings, plain(), as_attributes="__core__" not in vars(settings))


@lru_cache
def _plain_names(kind: Any, separators: tuple[str, ...]) -> Callable[[str], str]:
    """Give the function that gives the name under which ``Settings.set`` stores a key.

    It gives nothing if that is not plain.
    """

    @lru_cache(maxsize=16 * 1024)  # names only, and hardly a ConfigMap has more of them
    def plain_name(key: str) -> str:
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

    return plain_name


def put_defaults(settings: Any) -> None:
    """Set dynaconf's own defaults where nothing is set (``dynaconf.loaders.default_loader``)."""
    store, given = state.get(settings, "store"), state.get(settings, "defaults")

    def plain() -> Iterator[tuple[str, Any, SourceMetadata]]:
        for key, value in vars(default_settings).items():
            if not key.isupper() or dict.__contains__(store, key) or dict.__contains__(given, key):
                continue
            if is_scalar(value):
                yield key, value, DEFAULTS
            elif (contained := state.contained(settings, value)) is not None and _is_plain(value):
                yield key, contained, DEFAULTS
            else:
                settings.set(key, value, loader_identifier="default_settings", validate=False)

    _put(settings, plain(), as_attributes=True)


def _is_plain(value: Any) -> bool:
    """Tell whether there is nothing to parse in a value, however deep."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return is_scalar(value)


def _put(
    settings: Any, plain: Iterable[tuple[str, Any, SourceMetadata]], *, as_attributes: bool
) -> None:
    """Store values that need none of dynaconf's rules.

    Args:
        settings: the object that is being loaded.
        plain: name in upper case, value and source.
        as_attributes: dynaconf keeps such a setting as an attribute too: up to 3.2 every one,
            since then its own options.
    """
    store, deleted = state.get(settings, "store"), state.get(settings, "deleted")
    history, attributes = state.get(settings, "loaded_by_loaders"), vars(settings)
    put = dict.__setitem__
    state.clear_cache(settings)
    for name, value, source in plain:
        put(store, name, value)  # an index has no use for names in upper case
        if deleted:
            deleted.discard(name)
        history.setdefault(source, {})[name] = value
        if as_attributes:
            attributes[name] = value
    state.clear_cache(settings)
