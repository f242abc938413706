"""What Linux says about mounts, file systems and inotify; on other systems, nothing."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

# The f_type of statfs(2), where the kernel hears nothing of what others write.
_NO_EVENTS = {
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb",
    0x517B: "smb",
    0x65735546: "fuse",
    0x01021997: "9p",
    0x00C36400: "ceph",
    0x5346414F: "afs",
    0x0BD00BD0: "lustre",
    0x47504653: "gpfs",
    0x786F4256: "vboxsf",
    0x9FA0: "proc",
    0x62656572: "sysfs",
}


def file_system(directory: str) -> str:
    """Name the file system of a directory if it has no events for what others write."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(4096)  # far larger than any struct statfs
    if libc.statfs(os.fsencode(directory), buffer) != 0:
        return ""
    return _NO_EVENTS.get(ctypes.c_uint32.from_buffer(buffer).value, "")


@dataclass(frozen=True)
class Inotify:
    """How much of inotify is in use, as far as this process sees, and how much may be.

    Attributes:
        instances: instances in use.
        max_instances: how many there may be.
        watches: watches in use.
        max_watches: how many there may be.
    """

    instances: int
    max_instances: int
    watches: int
    max_watches: int


def inotify(proc: str = "/proc") -> Inotify | None:
    """Count the inotify instances and watches of this user's processes; None without inotify."""
    limits = [_limit(proc, what) for what in ("instances", "watches")]
    if None in limits:
        return None
    used = list(_used(proc))
    return Inotify(len(used), limits[0] or 0, sum(used), limits[1] or 0)


def _limit(proc: str, what: str) -> int | None:
    """Read the lower of two limits: the machine's for each user, and the namespace's."""
    found = []
    for path in (f"fs/inotify/max_user_{what}", f"user/max_inotify_{what}"):
        with suppress(OSError), open(f"{proc}/sys/{path}", encoding="ascii") as file:
            found.append(int(file.read()))
    return min(found, default=None)


def _used(proc: str) -> Iterator[int]:
    """Yield the watches of each instance."""
    for process in os.listdir(proc):
        # Processes end while we look, and others' are not ours to look into.
        with suppress(OSError):
            if process.isdigit() and os.stat(f"{proc}/{process}").st_uid == os.getuid():
                yield from _used_by(f"{proc}/{process}")


def _used_by(process: str) -> Iterator[int]:
    for number in os.listdir(f"{process}/fd"):
        with suppress(OSError):
            if os.readlink(f"{process}/fd/{number}") == "anon_inode:inotify":
                with open(f"{process}/fdinfo/{number}", encoding="ascii") as file:
                    yield sum(line.startswith("inotify ") for line in file)


def inotify_error(directory: str) -> int:
    """Try to watch a directory; give the errno, or 0 if it works."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        return ctypes.get_errno()
    try:
        mask = 0x80 | 0x100  # IN_MOVED_TO | IN_CREATE
        failed = libc.inotify_add_watch(descriptor, os.fsencode(directory), mask) < 0
        return ctypes.get_errno() if failed else 0
    finally:
        os.close(descriptor)
