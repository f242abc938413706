"""The content that was last accepted, kept in a directory for a process that starts on a bad one.

The file is replaced by a rename, so that whoever is killed while writing leaves the one before. It
belongs to the process's user alone, and its first line has the format's version and a hash of the
rest. It is not synchronised to the disk: a container that crashes leaves its node running.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from .._model.mount import Mount
from .._model.record import record, replace
from .._source.fingerprint import name_of
from .._source.snapshot import Snapshot

NAME = "last-good-"
UNFINISHED = ".unfinished-"
UNFINISHED_SECONDS = 60.0  # older ones were left by writers that were killed
MAGIC = b"dynaconf-k8s-reload last good 1 "
IN_MEMORY = ("tmpfs", "ramfs")
NONE_KEPT = "none was kept"


class UnusableError(Exception):
    """There is nothing to fall back to; says why."""


@record
class Recalled:
    """What was accepted last.

    Attributes:
        snapshots: of all mounts; a mount that was not kept is as it was read.
        written_at: when that was, in ISO 8601.
    """

    snapshots: list[Snapshot]
    written_at: str


def keep(directory: str, snapshots: Sequence[Snapshot]) -> None:
    """Write what has been accepted, unless it is there already.

    Raises:
        OSError: it cannot be written; what was kept before stays.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = _path(directory, [snapshot.mount for snapshot in snapshots])
    mounts = [
        {"path": each.mount.path, "files": _encoded(each.files)}
        for each in snapshots
        if each.present and (not each.mount.secret or _is_in_memory(directory))
    ]
    body = json.dumps(mounts, sort_keys=True).encode()
    with suppress(OSError, UnusableError):
        if _body(path).partition(b"\n")[2] == body:
            return
    body = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode() + b"\n" + body
    unfinished = None
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=UNFINISHED, dir=directory)  # of mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.rename(unfinished, path)
    except OSError:
        with suppress(OSError):
            if unfinished is not None:
                os.unlink(unfinished)
        raise
    _remove_unfinished(directory)


def recall(directory: str, read: Sequence[Snapshot]) -> Recalled:
    """Give what was accepted last, in the place of what was read and refused.

    Args:
        directory: where it was kept.
        read: the snapshots that were refused.

    Raises:
        UnusableError: nothing was kept, or what is there is damaged or somebody else's.
    """
    try:
        body = _body(_path(directory, [snapshot.mount for snapshot in read]))
    except FileNotFoundError:
        raise UnusableError(NONE_KEPT) from None
    except OSError as error:
        raise UnusableError(f"it cannot be read ({name_of(error)})") from None
    written_at, _, mounts = body.partition(b"\n")
    kept = {each["path"]: each["files"] for each in json.loads(mounts)}
    snapshots = [
        replace(
            each,
            present=True,
            generation_dir=None,
            committed_at=None,
            files=_decoded(kept[each.mount.path]),
        )
        if each.mount.path in kept
        else each
        for each in read
    ]
    return Recalled(snapshots, written_at.decode())


def _path(directory: str, mounts: Iterable[Mount]) -> str:
    """Give the file of these mounts; other applications of the pod may keep theirs beside it."""
    return os.path.join(
        directory, NAME + hashlib.sha256(repr(list(mounts)).encode()).hexdigest()[:16]
    )


def _body(path: str) -> bytes:
    """Read a file that we have written, without its first line.

    Raises:
        UnusableError: it is damaged, of another version, or not ours alone.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableError("it is not a file")
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise UnusableError("it does not belong to this process's user alone")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            head, _, body = file.read().partition(b"\n")
    finally:
        os.close(descriptor)
    if not head.startswith(MAGIC):
        raise UnusableError("it is damaged, or of another version")
    if head.removeprefix(MAGIC).decode("ascii", "replace") != hashlib.sha256(body).hexdigest():
        raise UnusableError("it is damaged")
    return body


def _encoded(files: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(content).decode() for key, content in files.items()}


def _decoded(files: Mapping[str, Any]) -> Mapping[str, bytes]:
    return MappingProxyType({key: base64.b64decode(files[key]) for key in sorted(files)})


def _is_in_memory(directory: str) -> bool:
    """Tell whether what is written there reaches no disk, by the kernel's table of mounts."""
    device = os.stat(directory).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:  # see proc_pid_mountinfo(5): the type follows a field "-"
            fields, _, rest = line.partition(" - ")
            if fields.split()[2] == number:
                return rest.split()[0] in IN_MEMORY
    return False


def _remove_unfinished(directory: str) -> None:
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            age = time.time() - entry.stat(follow_symlinks=False).st_mtime
            if entry.name.startswith(UNFINISHED) and age > UNFINISHED_SECONDS:
                os.unlink(entry.path)
