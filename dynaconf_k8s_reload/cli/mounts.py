"""The directories that a command is given: read as mounts, described and compared."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import click

from .._model.changes import Change
from .._model.options import Mount
from .._source.fingerprint import DATA_LINK
from .._source.snapshot import Snapshot
from .screen import counted, printable

A_MINUTE = 60.0
AN_HOUR = 60 * A_MINUTE
A_DAY = 24 * AN_HOUR


directories_argument = click.argument(
    "directories", nargs=-1, metavar="DIR...", type=click.Path(file_okay=False)
)
secret_option = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="A directory whose values are never shown. May be given again.",
)
values_option = click.option(
    "--values", is_flag=True, help="Show values, too; never those of a Secret."
)


def mounts_of(
    directories: Sequence[str], secrets: Sequence[str], table: Sequence[MountEntry] | None = None
) -> list[Mount]:
    """Make one mount of each directory; secret if it is declared so, or looks like a Secret."""
    table = mount_table() if table is None else table
    declared = {os.path.realpath(path) for path in secrets}
    mounts: dict[str, Mount] = {}
    for path in (*directories, *secrets):
        real = os.path.realpath(path)
        secret = real in declared or _is_secret_volume(path, table)
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
    yield f"{counted(count, 'key')}, {counted(_size_of(snapshot), 'byte')}{age}"
    if mount.secret:
        yield "taken for a Secret: no value of it is shown"


def _size_of(snapshot: Snapshot) -> int:
    """Count the bytes of all keys together."""
    both = (snapshot.files, snapshot.settings_files)
    return sum(len(content) for files in both for content in files.values())


def _ago(seconds: float) -> str:
    for unit, word in ((A_DAY, "day"), (AN_HOUR, "hour"), (A_MINUTE, "minute")):
        if seconds >= unit:
            return counted(int(seconds // unit), word)
    return counted(max(0, int(seconds)), "second")


def differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Change]:
    """Compare two contents of a volume by key; unlike a setting's name, a key has its case."""
    changes = []
    for key in sorted({*old, *new}):
        if key not in new:
            changes.append(Change(key, old[key], None, "removed"))
        elif key not in old:
            changes.append(Change(key, None, new[key], "added"))
        elif old[key] != new[key]:
            changes.append(Change(key, old[key], new[key], "modified"))
    return changes


class MountEntry(NamedTuple):
    """One line of ``/proc/self/mountinfo``.

    Attributes:
        root: what of the file system is mounted.
        point: where.
        kind: the file system's type.
    """

    root: str
    point: str
    kind: str


def mount_table(path: str = "/proc/self/mountinfo") -> list[MountEntry]:
    """Read the mounts that this process sees; of two at one place, the later hides the other."""
    entries = []
    with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            before, _, after = line.partition(" - ")
            fields = before.split(" ")
            entries.append(
                MountEntry(_unescaped(fields[3]), _unescaped(fields[4]), after.split(" ")[0])
            )
    return entries


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _is_secret_volume(directory: str, table: Sequence[MountEntry]) -> bool:
    """Tell whether a directory is in all likelihood the volume of a Secret.

    The kubelet keeps those in memory: each is a tmpfs with a ``..data``. So are projected volumes,
    which may hold a token.
    """
    real = os.path.realpath(directory)
    kinds = [entry.kind for entry in table if entry.point == real]
    return kinds[-1:] == ["tmpfs"] and os.path.islink(os.path.join(directory, DATA_LINK))
