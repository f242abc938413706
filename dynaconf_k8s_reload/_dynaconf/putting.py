"""Putting loaded values into a settings object, as ``Settings.set`` does but at less expense.

A value with nothing in it to parse or to merge replaces whatever was there, so it goes straight to
where `set` would store it; nested names are folded into their parents. Everything else is left to
`set`, which for each key looks through all keys, or through all that its parent has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from dynaconf.base import RESERVED_ATTRS, UPPER_DEFAULT_SETTINGS, Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import upperfy
from dynaconf.utils.parse_conf import Lazy

from .._model.names import REMEMBERED, Names
from . import state
from .containers import contained, put_up_to_3_2
from .folding import Parent, parsed_again
from .values import Literal, is_plain, is_scalar

INTERNAL = frozenset({*RESERVED_ATTRS, *UPPER_DEFAULT_SETTINGS})
FOLLOWING = "FollowsMounts"  # our own, which leaves what loaders set to the class behind it
MOUNT = "k8s_mount"  # a source of this kind is a file, which provides one key
PART = re.compile(r"(?!.*dynaconf|_box_config)[a-z0-9_-]+", re.ASCII | re.IGNORECASE)

# A class of an application's that redefines one of these may make something else of a value.
SETTING = ("set", "update", "get", "_dotted_set", "_merge_before_set")

Path = tuple[str, ...]  # a setting's name as it is stored, then the keys within it


def put_all(settings: Any, entries: Iterable[tuple[str, Any, SourceMetadata]]) -> None:
    """Set each key to its parsed value.

    Args:
        settings: the object that is being loaded.
        entries: key, value and source, in the order in which they apply.
    """
    kind: Any = type(settings)
    path_of = _paths(kind, state.names(settings))
    target = _Target(settings)
    for key, value, source in entries:
        path = path_of(key)
        if not (path and target.put(key, path, value, source)):
            target.leave(key, path, value, source)
    target.finish()


class _Target:
    """The settings object that is being loaded, with the parents that are being folded."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._store = state.get(settings, "store")
        self._known = dict.keys(self._store)
        self._deleted = state.get(settings, "deleted")
        self._history = state.get(settings, "loaded_by_loaders")
        # Up to 3.2 dynaconf keeps each setting as an attribute too.
        self._attributes = None if "__core__" in vars(settings) else vars(settings)
        self._merges = bool(state.option(settings, "MERGE_ENABLED_FOR_DYNACONF"))
        self._may_fold = not self._merges and type(self._store) is not dict
        self._parents: dict[str, Parent] = {}
        self._odd_names: frozenset[str] | None = None
        state.clear_cache(settings)

    def put(self, key: str, path: Path, value: Any, source: SourceMetadata) -> bool:
        """Set a key, or tell that this is left to dynaconf."""
        is_simple = is_scalar(value) or isinstance(value, (Literal, Lazy))
        if not (is_simple or (isinstance(value, (dict, list)) and is_plain(value))):
            return False
        name = path[0]
        if len(path) > 1:
            return self._fold(key, path, value, source)
        if state.UP_TO_3_2 and isinstance(dict.get(self._store, name), (Lazy, list)):
            return False  # it is evaluated once more
        if is_simple:
            if self._parents:
                self._finish(name)
            dict.__setitem__(self._store, name, value)
        elif type(self._store) is dict or (self._merges and not self._is_new(name)):
            return False
        else:
            self._finish(name)
            value = self._contain(name, value)
        self._note(name, value)
        self._history.setdefault(source, {})[name] = value
        return True

    def leave(self, key: str, path: Path, value: Any, source: SourceMetadata) -> None:
        """Have dynaconf set a key."""
        if path:
            self._finish(path[0])
        else:
            self.finish()
            self._odd_names = None
        self._settings.set(key, value, loader_identifier=source, validate=False)

    def finish(self) -> None:
        """Complete what is being folded."""
        for name in tuple(self._parents):
            self._finish(name)
        state.clear_cache(self._settings)

    def _finish(self, name: str) -> None:
        parent = self._parents.pop(name, None)
        if parent is not None:
            parent.finish()

    def _fold(self, key: str, path: Path, value: Any, source: SourceMetadata) -> bool:
        name, *within = path
        parent = self._parents.get(name)
        if parent is None and self._may_fold and (name in self._known or self._is_new(name)):
            parent = Parent.of(self._settings, name)
        if parent is None or not parent.put(key, tuple(within), value, source):
            return False
        if name not in self._parents:
            self._parents[name] = parent
            dict.__setitem__(self._store, name, parent.tree)
            self._note(name, parent.tree)
        shown = parent.tree
        if source.loader == MOUNT:  # or each of many files would show all of them
            shown = value
            for part in reversed(within):
                shown = {part: shown}
        self._history.setdefault(source, {})[name] = shown
        return True

    def _note(self, name: str, value: Any) -> None:
        if self._deleted:
            self._deleted.discard(name)
        if self._attributes is not None:
            self._attributes[name] = value

    def _contain(self, name: str, value: Any) -> Any:
        """Store a container as dynaconf's own; give what it was made of."""
        parsed = parsed_again(value, self._settings)
        if state.UP_TO_3_2:
            put_up_to_3_2(self._store, name, parsed)
            return parsed
        dict.__setitem__(self._store, name, contained(self._settings, parsed))
        return value

    def _is_new(self, name: str) -> bool:
        """Tell whether dynaconf would find nothing of this name, in whatever spelling."""
        if name in self._known:
            return False
        if self._odd_names is None:
            self._odd_names = frozenset(_odd_names(self._store))
        return name.lower() not in self._odd_names


def _odd_names(store: Any) -> Iterator[str]:
    """Give the names, in lower case, that a store has in another form than upper case."""
    for name in dict.keys(store):
        if isinstance(name, str) and not (name.isupper() and name.isascii() and " " not in name):
            yield name.lower()
            yield name.replace(" ", "_").lower()


@lru_cache
def _paths(kind: Any, names: Names) -> Callable[[str], Path]:
    """Give the function that gives the path of a key; an empty one if only dynaconf knows."""
    classes = [each for each in kind.__mro__ if each.__name__ != FOLLOWING]
    definers = (next(each for each in classes if method in vars(each)) for method in SETTING)
    if any(definer is not Settings for definer in definers):
        return lambda _: ()

    @lru_cache(maxsize=REMEMBERED)
    def path_of(key: str) -> Path:
        parts = names.parts(key)
        name = upperfy(parts[0])
        if name in INTERNAL or name.startswith("__") or hasattr(kind, name):
            return ()
        if name != name.upper():  # `A__x`, where `__` does not nest: it is `A__X` to a reader, too
            return ()
        return (name, *parts[1:]) if all(map(PART.fullmatch, parts)) else ()

    return path_of
