"""Limits to the time that an application may take: its module or its settings may never end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .. import _dynaconf
from .screen import printable

IMPORT_SECONDS = 30.0
LOADING_SECONDS = 30.0
AFTER_SETTINGS = 3.0  # seconds for what follows the settings in their module
LOOK_EVERY = 0.5


class UnfinishedError(BaseException):
    """An application was interrupted, which no ``except Exception`` of its own may swallow.

    Attributes:
        module: what was being imported, as far as it got, if it has the settings.
    """

    def __init__(self, message: str, module: Any = None) -> None:
        super().__init__(message)
        self.module = module


@contextmanager
def import_patience(module: str, attribute: str) -> Iterator[None]:
    """Interrupt an import that takes too long, or that goes on once its settings are made.

    Raises:
        UnfinishedError: it was interrupted.
    """
    began = time.monotonic()
    made: float | None = None

    def look(frame: FrameType | None) -> None:
        nonlocal made
        now = time.monotonic()
        held = vars(sys.modules[module]) if module in sys.modules else {}
        if attribute in held and made is None:
            made = now
        goes_on = made is not None and now - made > AFTER_SETTINGS
        if goes_on or now - began > IMPORT_SECONDS:
            raise UnfinishedError(
                f"importing {module} never ends{_at(frame)}; put what it runs under "
                'if __name__ == "__main__", or name the module that makes the settings',
                sys.modules[module] if goes_on else None,
            )

    with _interrupted_by(look):
        yield


@contextmanager
def loading_patience(name: str) -> Iterator[None]:
    """Interrupt settings that take too long to load: a few lines of YAML may mean a gigabyte.

    Args:
        name: what the settings are called.

    Raises:
        UnfinishedError: they were interrupted.
    """
    began = time.monotonic()

    def look(frame: FrameType | None) -> None:
        if time.monotonic() - began > LOADING_SECONDS:
            raise UnfinishedError(
                f"loading {name} takes more than {LOADING_SECONDS:g} s{_at(frame)}; look for what "
                "never ends in its settings files and hooks, such as YAML aliases that multiply"
            )

    with _interrupted_by(look):
        yield


def _at(frame: FrameType | None) -> str:
    place = _dynaconf.place_of(frame)
    return f", at {printable(place)}" if place else ""


@contextmanager
def _interrupted_by(look: Callable[[FrameType | None], object]) -> Iterator[None]:
    """Call `look`, which may raise, again and again.

    Only the main thread can be interrupted; in another there is no limit.
    """
    try:
        before = signal.signal(signal.SIGALRM, lambda _, frame: look(frame))
    except ValueError:  # signals are the main thread's
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY, LOOK_EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
