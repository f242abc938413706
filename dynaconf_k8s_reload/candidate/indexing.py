"""A store that finds a key in any case without looking at every other one.

dynaconf's own scans all keys whenever one is absent (``find_the_correct_casing``), which makes
loading quadratic. While an object is loaded its store has an index instead, and the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from dynaconf.base import Settings

from . import state

# Stands before dynaconf's DataDict or DynaBox among the bases; to type checkers it is a dict.
Base: Any = dict if TYPE_CHECKING else object

READING = ("get", "__getitem__", "__contains__", "_safe_get")
MUTATING = ("__delitem__", "update", "setdefault", "pop", "popitem", "clear", "__ior__")


class Indexed(Base):  # type: ignore[misc] # reason: as said above
    """Stands before the class of a store; `_indexed` joins the two."""

    _spelling: dict[str, str] | None = None
    _nothing: Any = None

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if self._spelling is not None:
            _note(self._spelling, key)

    def _locate(self, item: Any) -> tuple[Any, Any]:
        """Give the mapping to ask and the key as it is spelled there: an empty one if nowhere."""
        if not isinstance(item, str) or dict.__contains__(self, item):
            return self, item
        spelling = self._spelling
        if spelling is None:
            spelling = {}
            for key in dict.keys(self):
                _note(spelling, key)
            object.__setattr__(self, "_spelling", spelling)
        key = spelling.get(item.lower())
        return (self._nothing, item) if key is None else (self, key)

    def _forget(self) -> None:
        object.__setattr__(self, "_spelling", None)


def place(store: Any, key: str, value: Any) -> None:
    """Put a value into a store, indexed or not, as it is."""
    spelling = store._spelling if isinstance(store, Indexed) else None
    dict.__setitem__(store, key, value)
    if spelling is not None:
        _note(spelling, key)


def _note(spelling: dict[str, str], key: Any) -> None:
    """Note how a key is spelled; where several differ in case only, the first one counts."""
    if isinstance(key, str):
        spelling.setdefault(key.lower(), key)
        if " " in key:
            spelling.setdefault(key.replace(" ", "_").lower(), key)


@cache
def _indexed(base: type[Any]) -> type[Any]:
    """Make the class of an indexed store out of dynaconf's class of stores."""

    def reading(method: Callable[..., Any]) -> Callable[..., Any]:
        def read(self: Indexed, item: Any, *args: Any, **kwargs: Any) -> Any:
            return method(*self._locate(item), *args, **kwargs)

        return read

    def mutating(method: Callable[..., Any]) -> Callable[..., Any]:
        def mutate(self: Indexed, *args: Any, **kwargs: Any) -> Any:
            self._forget()
            try:
                return method(self, *args, **kwargs)
            finally:
                self._forget()

        return mutate

    methods = {name: reading(getattr(base, name)) for name in READING if hasattr(base, name)}
    methods |= {name: mutating(getattr(base, name)) for name in MUTATING}
    # dynaconf makes what is nested, and copies, of `__class__`: those need no index.
    shown = {"__module__": base.__module__, "__class__": property(lambda _: base)}
    return type(base.__name__, (Indexed, base), {**shown, **methods})


def _become(store: object, kind: type[Any]) -> None:
    vars(object)["__class__"].__set__(store, kind)


@contextmanager
def indexed(settings: Settings) -> Iterator[None]:
    """Have the store of an object that nobody else reads yet find its keys by an index."""
    store = state.get(settings, "store")
    base: Any = type(store)
    if issubclass(base, Indexed) or base is dict:
        yield
        return
    object.__setattr__(store, "_nothing", state.empty_like(store))
    _become(store, _indexed(base))
    try:
        yield
    finally:
        _become(store, base)
        for name in ("_nothing", "_spelling"):
            vars(store).pop(name, None)
