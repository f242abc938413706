"""Identifying what a directory holds right now, without reading any file.

The kubelet publishes a volume by renaming ``..data_tmp`` over ``..data``, a link to the directory
that holds the files (Kubernetes, ``pkg/volume/util/atomic_writer.go``), so what the link names
tells one content from the next. A directory without ``..data`` (Docker, a developer's machine, a
CSI driver) is told by its files' status.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from .._model.clock import monotonic

DATA_LINK = "..data"


class Token(NamedTuple):
    """What a directory holds, as far as it can be told without reading a file.

    Attributes:
        identity: device and inode of the directory, ``None`` where it is absent or unreadable.
        target: what ``..data`` names; ``None`` for a plain directory.
        files: status of the files of a plain directory.
        error: why the directory cannot be looked at, such as ``"EACCES"``.
    """

    identity: tuple[int, int] | None = None
    target: str | None = None
    files: tuple[Any, ...] = ()
    error: str = ""

    @property
    def is_plain(self) -> bool:
        """The directory is written file by file, so it may be seen half written."""
        return self.identity is not None and self.target is None


def token(path: str) -> Token:
    """Identify what a directory holds right now, without reading any file.

    Two equal tokens mean the same directory with the same content. For a volume of the kubelet it
    costs one ``stat`` and one ``readlink``.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Token()
    except OSError as error:
        return Token(error=name_of(error))
    identity = (status.st_dev, status.st_ino)
    try:
        return Token(identity, os.readlink(os.path.join(path, DATA_LINK)))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL, errno.ENOTDIR):
            return Token(error=name_of(error))
    return _plain_token(path, identity)


def _plain_token(path: str, identity: tuple[int, int]) -> Token:
    try:
        listed = sorted((key, entry.stat()) for key, entry in visible(path))
    except (PermissionError, NotADirectoryError) as error:
        return Token(error=name_of(error))
    except OSError:  # a file went while we looked: equal to no other look
        return Token(identity, files=(monotonic(),))
    files = ((key, stat.st_ino, stat.st_size, stat.st_mtime_ns) for key, stat in listed)
    return Token(identity, files=tuple(files))


def visible(root: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield each file below `root` that a pod may read as a key; names starting ``..`` are none."""
    below = [(root, "")]
    while below:
        directory, above = below.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("..") or not _is_text(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append((entry.path, f"{above}{entry.name}/"))
                elif entry.is_file():
                    yield f"{above}{entry.name}", entry


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def name_of(error: OSError) -> str:
    """Give the name of an error's number, such as ``"EACCES"``."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
