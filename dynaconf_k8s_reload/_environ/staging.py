"""The environment that a thread lives in: the process's, or the next generation's while it builds.

While a thread builds a generation, ``os.environ`` has a class that asks which thread it is, so that
whatever reads it there (a settings file, a validator, dynaconf's own loader) finds what a process
that starts now would find. Afterwards it has its own class again, and reading costs what it did.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .._model.record import record
from .overlay import Environment
from .process import Environ


@record
class _Stage:
    """What one thread lives in, for as long as it goes on."""

    environment: Environment
    goes_on: Callable[[], bool]
    outer: _Stage | None


_stages: dict[int, _Stage] = {}
_at_rest = Environ
_lock = threading.RLock()  # reentrant, for a signal handler that makes settings


class _StagedEnviron(Environ):  # type: ignore[misc] # reason: its class is only known at run time
    """``os.environ`` while some thread is building.

    What that thread writes goes to the process, as it does when a process starts, and shows. There
    is no ``super()`` here: another thread may give ``os.environ`` its own class back meanwhile.
    """

    def __getitem__(self, name: str) -> str:
        view = view_of_thread()
        text: str = Environ.__getitem__(self, name) if view is None else view[name]
        return text

    def __setitem__(self, name: str, text: str) -> None:
        Environ.__setitem__(self, name, text)
        view = view_of_thread()
        if view is not None:
            view.uncover(name)

    def __delitem__(self, name: str) -> None:
        view = view_of_thread()
        if view is None:
            Environ.__delitem__(self, name)
            return
        if name not in view:
            raise KeyError(name)
        with suppress(KeyError):  # it may be the next generation's only
            Environ.__delitem__(self, name)
        view.uncover(name)

    def __iter__(self) -> Iterator[str]:
        view = view_of_thread()
        return Environ.__iter__(self) if view is None else iter(view)

    def __len__(self) -> int:
        view = view_of_thread()
        return int(Environ.__len__(self)) if view is None else len(view)


def view_of_thread() -> Environment | None:
    """Give the environment that this thread builds in, if it is building."""
    stage = _stage_of_thread()
    return None if stage is None else stage.environment


def rest_as(kind: Any) -> None:
    """Say which class ``os.environ`` has while no thread builds; waits for nothing.

    A forked child calls it before another thread can be there.
    """
    global _at_rest  # noqa: PLW0603 -- because there is one `os.environ`, and it has one class
    _at_rest = kind
    if not _stages:
        os.environ.__class__ = kind


def rest_as_usual() -> None:
    """Have ``os.environ`` rest as what Python has made it."""
    with _lock:
        rest_as(Environ)


@contextmanager
def staged(environment: Environment) -> Iterator[None]:
    """Have ``os.environ`` show `environment` to this thread, and to no other."""
    outer = _stages.get(threading.get_ident())
    begin_stage(environment, lambda: True)
    try:
        yield
    finally:
        _go_back_to(outer)


def begin_stage(environment: Environment, goes_on: Callable[[], bool]) -> None:
    """Do so until `end_stage`, or until a read finds that it goes on no longer.

    A first load may end by an exception in dynaconf's constructor, of which nobody here is told.
    """
    ident = threading.get_ident()
    with _lock:
        _stages[ident] = _Stage(environment, goes_on, _stages.get(ident))
        os.environ.__class__ = _StagedEnviron


def end_stage() -> None:
    """Have this thread live where it did before `begin_stage`."""
    stage = _stage_of_thread()
    if stage is not None:
        stage.environment.settle()  # an object that was made meanwhile may have it for its own
        _go_back_to(stage.outer)


def _stage_of_thread() -> _Stage | None:
    while (stage := _stages.get(threading.get_ident())) and not stage.goes_on():
        stage.environment.settle()
        _go_back_to(stage.outer)
    return stage


def _go_back_to(stage: _Stage | None) -> None:
    ident = threading.get_ident()
    with _lock:
        if stage is None:
            _stages.pop(ident, None)
        else:
            _stages[ident] = stage
        if not _stages:
            os.environ.__class__ = _at_rest


def _in_forked_child() -> None:
    """Forget the threads that stayed behind; the one that forked may be building."""
    global _lock  # noqa: PLW0603 -- because a thread that stayed behind may hold it
    _lock = threading.RLock()
    mine = _stages.get(threading.get_ident())
    _stages.clear()
    _go_back_to(mine)


os.register_at_fork(after_in_child=_in_forked_child)
