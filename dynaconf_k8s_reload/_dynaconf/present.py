"""Which settings an application's lazy wrapper gives a thread: the live ones, or a candidate.

While a thread builds generations, each wrapper has a class that asks which thread it is, so that a
validator that looks at another setting through the application's own object finds the next
generation's. Afterwards it has its own class again, and reading costs no more than before.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from dynaconf.base import LazySettings, Settings

# By the wrapper's id: the wrapper, the thread that builds, and the candidate that this finds there.
_staged_now: dict[int, tuple[LazySettings, int, Settings]] = {}
_NOBODY = (None, 0, None)
_lock = threading.RLock()  # reentrant, for a signal handler that makes settings

# `wrapper.__class__` is a property that asks the wrapped object (dynaconf.utils.functional).
_set_class: Any = vars(object)["__class__"].__set__


@contextmanager
def shown_to_thread(wrapper: LazySettings | None, candidate: Settings) -> Iterator[None]:
    """Have a lazy wrapper lead to a candidate in this thread, and in no other."""
    if wrapper is None:
        yield
        return
    own: Any = type(wrapper)
    staged = (wrapper, threading.get_ident(), candidate)
    try:
        with _lock:  # one thread builds for a wrapper at a time: it holds the object's lock
            _staged_now[id(wrapper)] = staged
            _set_class(wrapper, _staged_class(own))
        yield
    finally:
        with _lock:
            # Where a signal handler raised on the way in, the garbage collector may run this, late.
            if _staged_now.get(id(wrapper)) is staged:
                del _staged_now[id(wrapper)]
                _set_class(wrapper, own)


@cache
def _staged_class(kind: Any) -> Any:
    """Make the class of a staged wrapper: one attribute of it depends on the thread."""

    def wrapped(self: LazySettings) -> Any:
        _, ident, candidate = _staged_now.get(id(self), _NOBODY)
        return candidate if ident == threading.get_ident() else vars(self)["_wrapped"]

    names = {"_wrapped": property(wrapped), "__module__": kind.__module__}
    return type(kind.__name__, (kind,), names)


def _in_forked_child() -> None:
    """Forget the threads that stayed behind; the one that forked may be building."""
    global _lock  # noqa: PLW0603 -- because a thread that stayed behind may hold it
    _lock = threading.RLock()
    for key, (wrapper, ident, _) in list(_staged_now.items()):
        if ident != threading.get_ident():
            del _staged_now[key]
            _set_class(wrapper, type(wrapper).__base__)


os.register_at_fork(after_in_child=_in_forked_child)
