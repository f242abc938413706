"""The directories that a command is given, as mounts: described and compared."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from .._model.changes import Change
from .._model.mount import Mount
from .._model.shown import counted
from .._source.fingerprint import DATA_LINK
from .._source.mount_table import MountEntry, mount_table
from .._source.snapshot import Snapshot
from .screen import Option, printable, say

MARK_OF_SECRETS = "..secret"  # beside ..data, and like it not a key

A_MINUTE = 60.0
AN_HOUR = 60 * A_MINUTE
A_DAY = 24 * AN_HOUR


class _Directory(click.Path):
    """A directory, there or not; an empty name, as of an unset variable, is none."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not value:
            self.fail("the name of a directory is empty; give one, such as /config", param, ctx)
        return super().convert(value, param, ctx)


# What cannot be read is told by the command, with the remedy.
DIRECTORY = _Directory(file_okay=False, readable=False)
DIRECTORY_TO_WRITE = _Directory(file_okay=False, path_type=Path)
DIRECTORY_OR_FILE = _Directory(readable=False)  # a file may be mounted where a directory is meant

directories_argument: Option = click.argument(
    "directories", nargs=-1, metavar="DIR...", type=DIRECTORY
)
secret_option: Option = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="DIR",
    type=DIRECTORY,
    help="A directory whose values are never shown. May be given again.",
)
values_option: Option = click.option(
    "--values", is_flag=True, help="Show values, too; never those of a Secret."
)


def mounts_of(directories: Sequence[str], secrets: Sequence[str]) -> list[Mount]:
    """Make one mount of each directory; secret if it is declared so, or looks like a Secret."""
    table = mount_table()
    declared = {os.path.realpath(path) for path in secrets}
    mounts: dict[str, Mount] = {}
    for path in (*directories, *secrets):
        real = os.path.realpath(path)
        secret = real in declared or _is_secret_volume(path, table)
        mounts.setdefault(real, Mount(os.path.abspath(path), secret=secret))
    return list(mounts.values())


def print_head(out: Console, snapshot: Snapshot) -> None:
    """Print what a mount is."""
    say(out, printable(snapshot.mount.path), "bold")
    for line in described(snapshot):
        say(out, f"  {line}")


def as_dict(snapshot: Snapshot) -> dict[str, Any]:
    """Give the same for JSON."""
    return {
        "path": snapshot.mount.path,
        "present": snapshot.present,
        "generation_dir": snapshot.generation_dir,
        "keys": len(snapshot.files) + len(snapshot.settings_files),
        "bytes": _size_of(snapshot),
        "committed_at": snapshot.committed_at,
        "secret": snapshot.mount.secret,
    }


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


def json_of(content: bytes | None) -> Any:
    """Give text as it is, and other bytes as ``{"base64": ...}``."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def is_mounted(directory: str, table: Sequence[MountEntry]) -> bool:
    """Tell whether something is mounted at a directory, as the kubelet mounts every volume."""
    real = os.path.realpath(directory)
    return any(entry.point == real for entry in table)


def _is_secret_volume(directory: str, table: Sequence[MountEntry]) -> bool:
    """Tell whether a directory is in all likelihood the volume of a Secret.

    ``apply`` leaves a mark. The kubelet keeps Secrets, and projected volumes with their token, in
    memory, and mounts them read-only; what an application may write to is an emptyDir.
    """
    if os.path.lexists(os.path.join(directory, MARK_OF_SECRETS)):
        return True
    real = os.path.realpath(directory)
    entry = next((entry for entry in reversed(table) if entry.point == real), None)
    in_memory = entry is not None and entry.kind == "tmpfs" and entry.read_only
    return in_memory and os.path.islink(os.path.join(directory, DATA_LINK))
