"""Namespaces of Linux, in which a process may mount and has inotify limits of its own."""

from __future__ import annotations

import ctypes
import os
import struct
import sys

NEWNS = 0x20000
NEWUSER = 0x10000000
BIND = 0x1000
PRIVATE_ALL = 0x4000 | (1 << 18)

NOT_ALLOWED = 77  # exit status: the machine does not let us

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Become root of a user and mount namespace of our own; exit where that is not allowed."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", NEWUSER | NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {user} 1")
        _write("/proc/self/gid_map", f"0 {group} 1")
        _call("mount", b"none", b"/", None, PRIVATE_ALL, None)
    except OSError as error:
        print(f"no namespace of our own: {error}", file=sys.stderr)
        raise SystemExit(NOT_ALLOWED) from None


def limit(*, instances: int, watches: int) -> bool:
    """Limit the inotify instances and watches of the namespace."""
    _write("/proc/sys/user/max_inotify_instances", str(instances))
    _write("/proc/sys/user/max_inotify_watches", str(watches))
    return True


def mount_tmpfs(path: str, size: str = "50%") -> bool:
    """Mount an empty file system of a size, by default of half the memory as the kernel has it."""
    _call("mount", b"none", path.encode(), b"tmpfs", 0, f"size={size}".encode())
    return True


def make_read_only(path: str) -> bool:
    """Let nothing be written where something is mounted."""
    _call("mount", None, path.encode(), None, 0x1000 | 0x20 | 0x1, None)  # bind, remount, read-only
    return True


def bind(source: str, path: str) -> bool:
    """Mount a directory at another place."""
    _call("mount", source.encode(), path.encode(), None, BIND, None)
    return True


def unmount(path: str) -> bool:
    """Unmount, though it may be in use."""
    _call("umount2", path.encode(), 2)
    return True


def drop_privileges() -> None:
    """Give up root's capabilities, such as reading in spite of permissions, if we have any."""
    header = struct.pack("Ii", 0x20080522, 0)
    _call("capset", header, bytes(24))


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
