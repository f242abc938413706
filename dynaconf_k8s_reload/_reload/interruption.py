"""What comes from a signal handler: a call within a reload, or an exception that ends one.

Python runs a handler in the main thread, between any two instructions of what runs there (signal
in the library reference), so its frame stands above those that it interrupts.
"""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any


def in_signal_handler() -> bool:
    """Tell whether the caller runs within a signal handler."""
    codes = _handlers()
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def is_foreign(error: BaseException) -> bool:
    """Tell whether an exception is not the fault of the code that it came out of.

    Ctrl-C is one, and so is whatever a signal handler raises, such as a soft time limit.
    """
    return not isinstance(error, Exception) or _comes_from_handler(error)


def says_nothing_of_content(error: BaseException) -> bool:
    """Tell whether the content that was being built may be good all the same.

    A foreign exception says nothing of it, but ``sys.exit()`` does: a process that starts with this
    content would exit, too.
    """
    if isinstance(error, SystemExit):
        return _comes_from_handler(error)
    return is_foreign(error)


def _comes_from_handler(error: BaseException) -> bool:
    codes, trace = _handlers(), error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def completely(steps: Iterable[Callable[[], object]]) -> None:
    """Take every step even if a signal handler raises meanwhile; raise its exception afterwards.

    Args:
        steps: each can be taken again after an interruption.
    """
    interruption: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 -- because half of a publication must not stand; it is raised below
            interruption = error
            step()
    if interruption is not None:
        raise interruption


def _handlers() -> set[CodeType]:
    found = (signal.getsignal(number) for number in signal.valid_signals())
    return {code for handler in found if (code := _code_of(handler)) is not None}


def _code_of(handler: Any) -> CodeType | None:
    while hasattr(handler, "func"):  # functools.partial
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__"):
        function = getattr(type(handler), "__call__", None)  # noqa: B004 -- because its code is asked for, not whether it is there
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
