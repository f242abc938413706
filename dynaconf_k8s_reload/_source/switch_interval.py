"""Short turns of the interpreter lock while something is reloaded beside busy threads.

Each system call gives the lock away, and a thread that computes keeps it for the whole switch
interval, 5 ms: beside one such thread, 300 files would take more than a second to read. While the
turns are short they take 40 ms, and other threads wait less for theirs, too
(``sys.setswitchinterval``; CPython issue 7946).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isclose

SHORT = 0.0001  # seconds

_usual: list[float] = []  # at most one: what to go back to


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Shorten the switch interval of the interpreter, unless it is as short already."""
    usual = sys.getswitchinterval()
    if usual <= SHORT:
        yield
        return
    _usual[:] = [usual]
    sys.setswitchinterval(SHORT)
    try:
        yield
    finally:
        restore()


def restore() -> None:
    """Go back to the usual interval, unless the application has set another meanwhile."""
    for usual in tuple(_usual):
        _usual.clear()
        if isclose(sys.getswitchinterval(), SHORT):
            sys.setswitchinterval(usual)


os.register_at_fork(after_in_child=restore)  # the thread that would do it stayed behind
