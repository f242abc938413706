"""Which settings an application's lazy wrapper gives a thread: the live ones, or a candidate.

While a thread builds generations, each wrapper has a class that asks which thread it is, so that a
validator which looks at another setting through the application's own object finds the next
generation's. Afterwards it has its own class again, and reading costs what it did.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from dynaconf.base import LazySettings, Settings

# By wrapper's id: the wrapper, and the candidate that each building thread finds behind it.
_staged_now: dict[int, tuple[LazySettings, dict[int, Settings]]] = {}
_lock = threading.RLock()  # reentrant, for a signal handler that makes settings

_NOBODY: tuple[None, dict[int, Settings]] = (None, {})

# `wrapper.__class__` is a property that asks the wrapped object (dynaconf.utils.functional).
_set_class: Any = vars(object)["__class__"].__set__


@contextmanager
def shown_to_thread(wrapper: LazySettings | None, candidate: Settings) -> Iterator[None]:
    """Have a lazy wrapper lead to a candidate in this thread, and in no other."""
    if wrapper is None:
        yield
        return
    ident = threading.get_ident()
    with _lock:
        _, candidates = _staged_now.setdefault(id(wrapper), (wrapper, {}))
        outer = candidates.get(ident)
        candidates[ident] = candidate
        if len(candidates) == 1:
            _set_class(wrapper, _staged_class(_own_class(wrapper)))
    try:
        yield
    finally:
        with _lock:
            _leave(wrapper, ident, outer)


def _leave(wrapper: LazySettings, ident: int, outer: Settings | None) -> None:
    _, candidates = _staged_now[id(wrapper)]
    if outer is None:
        del candidates[ident]
    else:
        candidates[ident] = outer
    if not candidates:
        del _staged_now[id(wrapper)]
        _set_class(wrapper, _own_class(wrapper))


def _own_class(wrapper: LazySettings) -> Any:
    kind: Any = type(wrapper)
    own: Any = vars(kind).get("_staged_class_of", kind)
    return own


@cache
def _staged_class(kind: Any) -> Any:
    """Make the class of a staged wrapper: one attribute of it depends on the thread."""

    def wrapped(self: LazySettings) -> Any:
        _, candidates = _staged_now.get(id(self), _NOBODY)
        candidate = candidates.get(threading.get_ident())
        return vars(self)["_wrapped"] if candidate is None else candidate

    def wrap(self: LazySettings, value: Any) -> None:
        vars(self)["_wrapped"] = value

    names = {"_wrapped": property(wrapped, wrap), "_staged_class_of": kind}
    return type(kind.__name__, (kind,), {**names, "__module__": kind.__module__})


def _in_forked_child() -> None:
    """Forget the threads that stayed behind; the one that forked may be building."""
    global _lock  # noqa: PLW0603 -- because a thread that stayed behind may hold it
    _lock = threading.RLock()
    ident = threading.get_ident()
    for key, (wrapper, candidates) in list(_staged_now.items()):
        if ident in candidates:
            _staged_now[key] = wrapper, {ident: candidates[ident]}
        else:
            del _staged_now[key]
            _set_class(wrapper, _own_class(wrapper))


os.register_at_fork(after_in_child=_in_forked_child)
