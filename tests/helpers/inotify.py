"""A raw inotify reader for Linux: what the kernel reports for one directory, unfiltered."""

from __future__ import annotations

import ctypes
import enum
import io
import os
import struct
from pathlib import Path

_HEADER = struct.Struct("iIII")  # watch descriptor, mask, cookie, length of the name that follows
_BUFFER = 1 << 16


class Mask(enum.IntFlag):
    """The bits of an event, from Linux' ``<sys/inotify.h>``."""

    ACCESS = 0x1
    MODIFY = 0x2
    ATTRIB = 0x4
    CLOSE_WRITE = 0x8
    CLOSE_NOWRITE = 0x10
    OPEN = 0x20
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    DELETE_SELF = 0x400
    MOVE_SELF = 0x800
    UNMOUNT = 0x2000
    Q_OVERFLOW = 0x4000
    IGNORED = 0x8000
    ISDIR = 0x40000000


CHANGES = Mask.ATTRIB | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.CREATE | Mask.DELETE
"""What changes a directory or its entries; reading it causes none of these."""


class Inotify:
    """Record the events of `directory`, from construction until it is closed.

    The kernel queues an event before the call that caused it returns: `read` needs no waiting.

    Raises:
        OSError: the directory cannot be watched.
    """

    def __init__(self, directory: Path, mask: Mask = CHANGES) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = io.FileIO(_checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)))
        try:
            _checked(libc.inotify_add_watch(self._file.fileno(), os.fsencode(directory), int(mask)))
        except OSError:
            self.close()
            raise

    def read(self) -> list[tuple[str, str]]:
        """Return each event since the last call as (name, masks), such as ("x", "CREATE,ISDIR")."""
        events = []
        while data := self._file.read(_BUFFER):  # None, not an error, once the queue is empty
            offset = 0
            while offset < len(data):
                _, mask, _, length = _HEADER.unpack_from(data, offset)
                start = offset + _HEADER.size
                offset = start + length
                name = os.fsdecode(data[start:offset].rstrip(b"\0"))
                events.append((name, ",".join(bit.name or "" for bit in Mask if bit & mask)))
        return events

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
