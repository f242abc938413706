"""Reading directories for people: what is a volume, what is a secret, what holds what."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from .._model.mount import Mount
from .._source.reading import Snapshot
from .facts import MountEntry, is_secret_volume, mount_table
from .screen import counted, printable

__all__ = ["described", "mounts_of", "size_of"]

A_MINUTE = 60.0
AN_HOUR = 60 * A_MINUTE
A_DAY = 24 * AN_HOUR


def mounts_of(
    directories: Sequence[str], secrets: Sequence[str], table: Sequence[MountEntry] | None = None
) -> list[Mount]:
    """Make a mount of each directory, once; secret if it is said to be or looks like one."""
    table = mount_table() if table is None else table
    declared = {os.path.realpath(path) for path in secrets}
    mounts: dict[str, Mount] = {}
    for path in (*directories, *secrets):
        real = os.path.realpath(path)
        secret = real in declared or is_secret_volume(path, table)
        mounts.setdefault(real, Mount(os.path.abspath(path), secret=secret))
    return list(mounts.values())


def described(snapshot: Snapshot) -> Iterable[str]:
    """Say what a mount is and holds, a line each."""
    mount = snapshot.mount
    if not snapshot.present:
        yield "absent"
        return
    if snapshot.generation_dir:
        yield f"a Kubernetes volume, {printable(snapshot.generation_dir)}"
    else:
        yield "a plain directory, no Kubernetes volume"
    count = len(snapshot.files) + len(snapshot.settings_files)
    committed = snapshot.committed_at
    age = "" if committed is None else f", written {_ago(time.time() - committed)} ago"
    yield f"{counted(count, 'key')}, {counted(size_of(snapshot), 'byte')}{age}"
    if mount.secret:
        yield "taken for a Secret: no value of it is shown"


def size_of(snapshot: Snapshot) -> int:
    """Give the bytes of all keys together."""
    both = (snapshot.files, snapshot.settings_files)
    return sum(len(content) for files in both for content in files.values())


def _ago(seconds: float) -> str:
    for unit, word in ((A_DAY, "day"), (AN_HOUR, "hour"), (A_MINUTE, "minute")):
        if seconds >= unit:
            return counted(int(seconds // unit), word)
    return counted(max(0, int(seconds)), "second")
