"""Identifying what a directory holds right now, without reading any file.

The kubelet publishes a volume by renaming ``..data_tmp`` over ``..data``, a link to the directory
that holds the files (Kubernetes, ``pkg/volume/util/atomic_writer.go``), so what the link names
tells one content from the next. A directory without ``..data`` (Docker, a developer's machine, a
CSI driver) is told by its files' status.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from .._model.clock import monotonic_ns

DATA_LINK = "..data"
OUTSIDE = "outside"


class Token(NamedTuple):
    """What a directory holds, as far as it can be told without reading a file.

    Attributes:
        identity: device and inode of the directory, ``None`` where it is absent or unreadable.
        target: what ``..data`` names; ``None`` for a plain directory.
        files: status of the files of a plain directory, or why one cannot be read.
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
        listed = [_told(found) for found in visible(path, os.path.realpath(path))]
    except FileNotFoundError:  # a file went while we looked: equal to no other look
        return Token(identity, files=(monotonic_ns(),))
    except OSError as error:
        return Token(error=name_of(error))
    return Token(identity, files=tuple(sorted(listed)))


def _told(found: Found) -> tuple[Any, ...]:
    if found.path is None:
        return (found.key, found.error)
    status = os.stat(found.path, follow_symlinks=False)
    return (found.key, "", status.st_ino, status.st_size, status.st_mtime_ns)


class Found(NamedTuple):
    """An entry of a directory that is a key, or would be one.

    Attributes:
        key: its path in the directory.
        path: the file itself, links resolved; ``None`` where it cannot be read.
        error: the name of the error then; `OUTSIDE` for a link that leads out of the mount.
    """

    key: str
    path: str | None
    error: str = ""


def visible(root: str, within: str) -> Iterator[Found]:
    """Yield each entry below `root` that a pod may read as a key; names starting ``..`` are none.

    A link to a file is followed if that is inside the mount; one to a directory, and one that leads
    nowhere, is no key.

    Args:
        root: the directory that holds the keys.
        within: the mount's directory, links resolved.

    Raises:
        OSError: `root` cannot be read.
    """
    below = [(root, "")]
    while below:
        directory, above = below.pop()
        try:
            entries = os.scandir(directory)
        except PermissionError as error:
            if not above:
                raise
            yield Found(above, None, name_of(error))
            continue
        with entries:
            for entry in entries:
                name = entry.name
                if name.startswith("..") or not (name.isascii() or _is_text(name)):
                    continue
                if entry.is_file(follow_symlinks=False):
                    yield Found(f"{above}{name}", entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    below.append((entry.path, f"{above}{name}/"))
                elif entry.is_symlink():
                    yield from _followed(f"{above}{name}", entry.path, within)


def _followed(key: str, path: str, within: str) -> Iterator[Found]:
    real = os.path.realpath(path)
    if not is_inside(real, within):
        yield Found(key, None, OUTSIDE)
        return
    try:
        if stat.S_ISREG(os.stat(real).st_mode):
            yield Found(key, real)
    except (FileNotFoundError, NotADirectoryError):
        return  # a link that comes before its target, as in releases up to 1.20
    except OSError as error:
        yield Found(key, None, name_of(error))


def is_inside(real: str, within: str) -> bool:
    """Tell whether a path is below a directory, or is that directory; both have no links."""
    return os.path.commonpath((real, within)) == within


def _is_text(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def name_of(error: OSError) -> str:
    """Give the name of an error's number, such as ``"EACCES"``."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
