"""What has replaced the threads of this process: gevent or eventlet, whose greenlets share one."""

from __future__ import annotations

import sys
from typing import Any


def patched_by() -> str:
    """Tell what has replaced the threads of this process, if anything has."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        return "gevent"
    patcher: Any = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return "eventlet"
    return ""


def is_for_the_process(error: BaseException) -> bool:
    """Tell whether an exception in the watch is to end the process, not the look.

    Signal handlers run in the main thread, and so, under gevent and eventlet, in whatever greenlet
    is running: their ``sys.exit()`` comes out of ours.
    """
    return not isinstance(error, Exception) and bool(patched_by())
