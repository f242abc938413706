"""A store that finds a key in any case without looking at every other one.

dynaconf's own scans all keys whenever one is absent (``find_the_correct_casing``), which makes
loading quadratic. While an object is loaded its store has an index instead, and the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from dynaconf.base import Settings
from dynaconf.utils import find_the_correct_casing

from . import state

# Stands before dynaconf's DataDict or DynaBox among the bases; to type checkers it is a dict.
Base: Any = dict if TYPE_CHECKING else object

INDEX_FROM = 200  # keys: measured with lists, which no short cut of `putting` covers

READING = ("get", "__getitem__", "__contains__", "_safe_get")
MUTATING = ("__delitem__", "update", "setdefault", "pop", "popitem", "clear", "__ior__")


class Spelling:
    """How the keys of a store are spelled; made at the first question, then kept up to date.

    Nearly all are in upper case, so only the others are noted.
    """

    def __init__(self, store: dict[Any, Any]) -> None:
        self._store = store
        self._others: dict[str, str] | None = None
        self._has_others_than_strings = False

    def of(self, item: str) -> str | None:
        """Find the key that is meant, as dynaconf would: the first one that differs in case only.

        A space in a key also answers to an underscore.
        """
        if self._others is None:
            self._others, self._has_others_than_strings = {}, False
            for key in dict.keys(self._store):
                self.add(key)
        if self._has_others_than_strings and state.UP_TO_3_2:  # where such a key ends the search
            found: str | None = find_the_correct_casing(item, dict(dict.items(self._store)))
            return found
        lower = item.lower()
        upper, other = lower.upper(), self._others.get(lower)
        if not lower.isascii() or not dict.__contains__(self._store, upper):
            return other
        if other is None:
            return upper
        return next(str(key) for key in dict.keys(self._store) if lower in _answers_to(str(key)))

    def add(self, key: object) -> None:
        """Note a key that has been put last into the store."""
        if not isinstance(key, str):
            self._has_others_than_strings = True
        elif self._others is not None and not is_upper(key):
            for name in _answers_to(key):
                self._others.setdefault(name, str(key))

    def forget(self) -> None:
        """Ask the store again: keys have gone, or come in another way."""
        self._others = None


def is_upper(key: object) -> bool:
    """Tell whether a key is in upper case, so that its other spellings are told by `upper`."""
    return isinstance(key, str) and key.isupper() and key.isascii() and " " not in key


def _answers_to(key: str) -> Sequence[str]:
    return (key.lower(), key.replace(" ", "_").lower()) if " " in key else (key.lower(),)


class Indexed(Base):  # type: ignore[misc] # reason: as said above
    """Stands before the class of a store; `_indexed` joins the two."""

    spelling: Spelling
    nothing: Any

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.spelling.add(key)

    def _locate(self, item: Any) -> tuple[Any, Any]:
        """Give the mapping to ask and the key as it is spelled there: an empty one if nowhere."""
        if not isinstance(item, str) or dict.__contains__(self, item):
            return self, item
        key = self.spelling.of(item)
        return (self.nothing, item) if key is None else (self, key)


@cache
def _indexed(base: type[Any]) -> type[Any]:
    """Make the class of an indexed store out of dynaconf's class of stores."""

    def reading(method: Callable[..., Any]) -> Callable[..., Any]:
        def read(self: Indexed, item: Any, *args: Any, **kwargs: Any) -> Any:
            return method(*self._locate(item), *args, **kwargs)

        return read

    def mutating(method: Callable[..., Any]) -> Callable[..., Any]:
        def mutate(self: Indexed, *args: Any, **kwargs: Any) -> Any:
            self.spelling.forget()
            try:
                return method(self, *args, **kwargs)
            finally:
                self.spelling.forget()

        return mutate

    # What the class does not define itself looks at no other key.
    methods = {name: reading(vars(base)[name]) for name in READING if name in vars(base)}
    methods |= {name: mutating(getattr(base, name)) for name in MUTATING}
    # dynaconf makes what is nested, and copies, of `__class__`: those need no index.
    shown = {"__module__": base.__module__, "__class__": property(lambda _: base)}
    return type(base.__name__, (Indexed, base), {**shown, **methods})


@contextmanager
def indexed(settings: Settings, expected: int) -> Iterator[None]:
    """Have the store of an object that nobody else reads yet find its keys by an index.

    Args:
        settings: the object that is being loaded.
        expected: about how many keys it will have beside those that it has; with few in all, an
            index costs more than it saves.
    """
    store = state.get(settings, "store")
    base: Any = type(store)
    if issubclass(base, Indexed) or base is dict or len(store) + expected < INDEX_FROM:
        yield
        return
    object.__setattr__(store, "spelling", Spelling(store))
    object.__setattr__(store, "nothing", state.empty_like(store))
    _become(store, _indexed(base))
    try:
        yield
    finally:
        _become(store, base)
        for name in ("spelling", "nothing"):
            del vars(store)[name]


def _become(store: object, kind: type[Any]) -> None:
    vars(object)["__class__"].__set__(store, kind)
