"""watchdog's observer: how it is made and stopped, and what keeps it from working."""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

# The kernel is not asked about reads, so that they do not even wake a thread. watchdog reports the
# end of a write as a modified directory.
_NEWS = [
    f"{what}{how}Event"
    for what in ("Dir", "File")
    for how in ("Created", "Deleted", "Modified", "Moved", "Attrib")
]

IN_MOVED_FROM = 0x40  # inotify(7)

_LIMITS = {
    errno.EMFILE: "no inotify instance is left, see fs.inotify.max_user_instances",
    errno.ENOSPC: "no inotify watch is left, see fs.inotify.max_user_watches",
}


class Handler:  # not derived from watchdog's class, since watchdog may fail to import
    """Turns every event into a hint: the comparison finds out what happened."""

    def __init__(self, hint: Callable[[], object]) -> None:
        self._hint = hint

    def dispatch(self, event: Any) -> None:  # noqa: ARG002 -- because watchdog passes it
        """Take an event from watchdog."""
        self._hint()


class _ExpectedWhileStopping(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "called when the thread is inactive" not in record.getMessage()


def import_watchdog() -> tuple[Callable[[], BaseObserver], list[Any]]:
    """Give what makes an observer, and the kinds of events that are wanted of it.

    Raises:
        ImportError: watchdog is not installed, or has no observer that the kernel tells.
    """
    observers = importlib.import_module("watchdog.observers")
    events = importlib.import_module("watchdog.events")
    if observers.Observer.__name__ == "PollingObserver":
        raise ImportError  # it lists every file each second; a comparison only reads a link
    return observers.Observer, [getattr(events, name) for name in _NEWS if hasattr(events, name)]


def leave_out_half_moves(observer: BaseObserver) -> None:
    """Ask the kernel for one of the two events of a rename, where a kubelet writes.

    watchdog joins the two. When it takes the first before the second has come, as it does once in
    some hundred swaps, it holds back all that follows for half a second (its ``DelayedQueue.get``).
    In a kubelet's volume nothing is moved away, and the second event tells all. A plain directory,
    which is watched recursively, keeps both.

    Args:
        observer: scheduled, and not started yet.
    """
    for emitter in observer.emitters:
        made: Any = emitter
        if not made.watch.is_recursive and hasattr(made, "get_event_mask_from_filter"):
            mask = made.get_event_mask_from_filter() & ~IN_MOVED_FROM
            made.get_event_mask_from_filter = lambda mask=mask: mask


def close_what_is_never_read(observer: BaseObserver) -> None:
    """Have everything closed when it is stopped, even before its reader has begun.

    watchdog leaves the closing to the thread that reads, which is an observer's in watchdog 7 and
    an emitter's in watchdog 6. A reader that begins after the stop, as it may on a busy machine,
    ends without closing anything.

    Args:
        observer: scheduled, and not started yet.
    """
    for thread in (observer, *observer.emitters):
        made: Any = thread
        made.on_thread_stop = partial(_stop_and_close, made)


def _stop_and_close(thread: Any) -> None:
    readers = [getattr(thread, name, None) for name in ("_inotify", "_inotify_fd")]
    type(thread).on_thread_stop(thread)
    for reader in readers:
        if isinstance(reader, threading.Thread) and not reader.is_alive():
            _close_if_never_read(getattr(reader, "_inotify", reader))


def _close_if_never_read(instance: Any) -> None:
    with instance._lock:  # noqa: SLF001 -- because it may be stopped twice, and is to be closed once
        is_open = instance._closed and instance._is_reading  # noqa: SLF001 -- because only these tell
        instance._is_reading = False  # noqa: SLF001 -- as above
    if is_open:
        instance._close_resources()  # noqa: SLF001 -- because `close` takes it for closed


def stop(observer: BaseObserver) -> None:
    """Stop an observer, even one that never started or has died.

    watchdog logs an ERROR for an event that arrives while its thread is being stopped. Nothing is
    wrong then, and error trackers would report it: until the threads have ended, it is dropped.
    """
    logger = logging.getLogger("watchdog.observers.inotify")
    expected = _ExpectedWhileStopping()
    logger.addFilter(expected)
    try:
        with contextlib.suppress(Exception):  # nothing more can be done about it
            observer.stop()
            if observer.is_alive():
                observer.join()
    finally:
        logger.removeFilter(expected)


def describe(error: Exception) -> str:
    """Say what keeps events away; an empty string if there is nothing to report."""
    if isinstance(error, ImportError):
        return "watchdog cannot be imported"
    if isinstance(error, FileNotFoundError):  # it has just gone, and is awaited like an absent one
        return ""
    if "interpreter shutdown" in str(error):  # since Python 3.12 no thread starts then
        return ""
    described = f"watchdog failed ({type(error).__name__})"
    return _LIMITS.get(error.errno or 0, described) if isinstance(error, OSError) else described


def release(error: Exception) -> None:
    """Close the inotify instance that watchdog leaves open when it fails while it starts.

    That happens where a directory goes between being listed and being watched, or where no thread
    can be started for reading the events. Only the frame in which the instance was being made knows
    it: in watchdog 6 an ``Inotify`` or its ``InotifyBuffer``, in watchdog 7 an ``InotifyFD``.

    One that already has a reader, as watchdog 7's has when a directory goes, is left to `stop`: if
    it were closed here, its descriptors could be somebody else's by the time that they are read.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made: Any = frame.f_locals.get("self")
        made = getattr(made, "_inotify", made) if type(made).__name__ == "InotifyBuffer" else made
        if type(made).__name__ in {"Inotify", "InotifyFD"}:
            if isinstance(made, threading.Thread) and made.is_alive():
                return
            with contextlib.suppress(Exception):  # it may not even have got its descriptors
                made._close_resources()  # noqa: SLF001 -- because `close` leaves it to a reader, which never started
            return
