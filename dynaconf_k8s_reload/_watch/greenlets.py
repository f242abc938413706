"""What has replaced the threads of this process: gevent or eventlet, whose greenlets share one."""

from __future__ import annotations

import importlib
import queue
import sys
from types import FrameType
from typing import Any

SET_UP_BY = (  # how the names of modules begin, and those of functions in them
    ("gevent.monkey", "patch_"),
    ("gevent.hub", "__init__"),
    ("eventlet.patcher", "monkey_"),
    ("eventlet.hubs", "use_hub"),
)


def patched_by() -> str:
    """Tell what has replaced the threads of this process, if anything has."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        return "gevent"
    patcher: Any = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return "eventlet"
    return ""


def simple_queue() -> queue.SimpleQueue[None]:
    """Make a queue that a thread of this process can wait for, even if that is a greenlet.

    gevent patches ``queue`` last, or not at all if it is told so.
    """
    if patched_by() == "gevent":
        kind: Any = importlib.import_module("gevent.queue").SimpleQueue
        made: queue.SimpleQueue[None] = kind()
        return made
    return queue.SimpleQueue()


def greenlets_are_being_set_up() -> bool:
    """Tell whether this thread is within gevent's or eventlet's patching, or the making of a hub.

    While they patch, threads are patched and queues are not: a watch that began now would block
    them all. gevent looks through all objects meanwhile, which has Django read its settings module.
    A hub is made at its first use, and made twice by whoever uses it meanwhile: a watch of the one
    that is then forgotten ends the process under gevent, and never runs under eventlet.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- because its public way imports much
    while frame is not None:
        module, function = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        if any(module.startswith(of) and function.startswith(name) for of, name in SET_UP_BY):
            return True
        frame = frame.f_back
    return False


def is_for_the_process(error: BaseException) -> bool:
    """Tell whether an exception in the watch is meant for the process, and so to be raised again.

    Signal handlers run in the main thread, so under gevent and eventlet they run in whatever
    greenlet is running: their ``sys.exit()`` may come out of ours.
    """
    return not isinstance(error, Exception) and bool(patched_by())
