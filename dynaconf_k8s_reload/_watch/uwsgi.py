"""uWSGI: its master loads the application and forks in C; the workers watch, the master does not.

A thread of the master's would be gone in the workers, and its locks with it: a worker that is
forked while such a thread holds the interpreter lock never comes up (uWSGI issues 1149 and 1369).
``uwsgi.post_fork_hook`` is called in each worker, and in a process without a master once it serves.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import Any

MASTER = "uWSGI's master does not watch; each of its workers does"
NO_THREADS = (
    "uWSGI runs without threads, so the mounts are compared only when the reloader is asked for "
    "something; start it with --enable-threads"
)


def _uwsgi() -> Any:
    """Give the module that uWSGI makes in its own processes only."""
    return sys.modules.get("uwsgi")


def hindrance() -> str:
    """Tell why no thread may watch in this process; an empty string if nothing hinders."""
    uwsgi = _uwsgi()
    if uwsgi is None:
        return ""
    if uwsgi.worker_id() == 0 and uwsgi.mule_id() == 0 and not _is_spooler(uwsgi):
        return MASTER
    return "" if _has_threads(uwsgi) else NO_THREADS


def in_each_worker(function: Callable[[], object]) -> None:
    """Have a function called in each worker, beside whatever others have asked for.

    uWSGI's own decorators, when they are imported, replace the hook without looking at what is
    there; so they are imported first.
    """
    uwsgi = _uwsgi()
    with contextlib.suppress(Exception):  # they refuse to be imported where there is no master
        importlib.import_module("uwsgidecorators")
    before = getattr(uwsgi, "post_fork_hook", None)

    def hook() -> None:
        function()
        if before is not None:
            before()

    uwsgi.post_fork_hook = hook


def _is_spooler(uwsgi: Any) -> bool:
    return bool(getattr(uwsgi, "i_am_the_spooler", bool)())


def _has_threads(uwsgi: Any) -> bool:
    # Newer releases tell; they have threads unless told otherwise.
    known = getattr(uwsgi, "has_threads", None)
    if known is not None:
        return bool(known)
    return any(option in uwsgi.opt for option in ("enable-threads", "threads", "gevent"))
