"""A limit to the time that a module takes to import: a program's may run for ever."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

IMPORT_SECONDS = 30.0
AFTER_SETTINGS = 3.0  # seconds for what follows the settings in their module
LOOK_EVERY = 0.5


class ImportUnfinishedError(BaseException):
    """A module was interrupted; no ``except Exception`` of its own is to swallow that.

    Attributes:
        module: the module as far as it got, if it has the settings.
    """

    def __init__(self, name: str, module: Any) -> None:
        super().__init__(
            f"importing {name} never ends; put what it runs under "
            'if __name__ == "__main__", or name the module that makes the settings'
        )
        self.module = module


@contextmanager
def patience(module: str, attribute: str) -> Iterator[None]:
    """Interrupt an import that takes too long, or that goes on once its settings are made.

    Only the main thread can be interrupted; in another there is no limit.

    Raises:
        ImportUnfinishedError: it was interrupted.
    """
    began = time.monotonic()
    made: float | None = None

    def look(_: int, __: FrameType | None) -> None:
        nonlocal made
        now = time.monotonic()
        held = vars(sys.modules[module]) if module in sys.modules else {}
        if attribute in held and made is None:
            made = now
        if made is not None and now - made > AFTER_SETTINGS:
            raise ImportUnfinishedError(module, sys.modules[module])
        if now - began > IMPORT_SECONDS:
            raise ImportUnfinishedError(module, None)

    try:
        before = signal.signal(signal.SIGALRM, look)
    except ValueError:  # signals are the main thread's
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY, LOOK_EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
