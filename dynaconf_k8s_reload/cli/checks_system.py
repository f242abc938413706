"""What may keep events from a process on this machine."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from .facts import Inotify
from .findings import Finding

__all__ = ["check_system"]

NEARLY = 0.9
WITHOUT = "Without events the mounts are compared every second, so nothing is lost."

_LIMITS = {
    errno.EMFILE: ("instance", "fs.inotify.max_user_instances"),
    errno.ENOSPC: ("watch", "fs.inotify.max_user_watches"),
}


def check_system(inotify: Inotify | None, error: int, patched: str) -> Iterator[Finding]:
    """Check the machine and this process.

    Args:
        inotify: what of it is used.
        error: the number of the error that an attempt to watch gave.
        patched: what has replaced the threads of the process, if anything.
    """
    if inotify is not None:
        yield from _inotify(inotify, error)
    if patched:
        yield Finding(
            "warning",
            f"{patched} has replaced threads",
            "watchdog cannot run in such a process.",
            f"{WITHOUT} Another worker class has events.",
        )


def _inotify(inotify: Inotify, error: int) -> Iterator[Finding]:
    figures = (
        f"This user's processes, as far as they are seen from here, have {inotify.instances:,} "
        f"of {inotify.max_instances:,} instances and {inotify.watches:,} of "
        f"{inotify.max_watches:,} watches."
    )
    if error in _LIMITS:
        what, limit = _LIMITS[error]
        yield Finding(
            "warning",
            f"No inotify {what} is left",
            figures,
            f"Raise {limit} on the node. {WITHOUT}",
        )
        return
    nearly = [
        limit
        for limit, used, most in (
            ("fs.inotify.max_user_instances", inotify.instances, inotify.max_instances),
            ("fs.inotify.max_user_watches", inotify.watches, inotify.max_watches),
        )
        if used >= NEARLY * most
    ]
    if nearly:
        yield Finding(
            "warning",
            "inotify is nearly used up",
            figures,
            f"Raise {' and '.join(nearly)} on the node. {WITHOUT}",
        )
