"""What this process sees mounted, and what of it was mounted by ``subPath``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

# Where the kubelet keeps subPath mounts, and the directories that its writer makes.
_OF_A_GENERATION = r"/volume-subpaths/|/\.\.\d{4}(_\d\d){5}\.\d+(/|$)"


class MountEntry(NamedTuple):
    """One line of ``/proc/self/mountinfo``.

    Attributes:
        root: what of the file system is mounted.
        point: where.
        kind: the file system's type.
        read_only: nothing can be written through this mount.
    """

    root: str
    point: str
    kind: str
    read_only: bool = False


def mount_table(path: str = "/proc/self/mountinfo") -> list[MountEntry]:
    """Read the mounts that this process sees; of two at one place, the later hides the other."""
    entries = []
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            before, _, after = line.partition(" - ")
            fields = before.split(" ")
            read_only = "ro" in fields[5].split(",")
            kind = after.split(" ")[0]
            entries.append(
                MountEntry(_unescaped(fields[3]), _unescaped(fields[4]), kind, read_only)
            )
    return entries


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def sub_paths(directory: str, table: Sequence[MountEntry]) -> list[str]:
    """List what is mounted by ``subPath``: files of a directory, or the directory itself.

    The kubelet mounts what the path led to, a file or directory of one generation, for good.
    """
    real = os.path.realpath(directory)
    return sorted(
        {
            entry.point
            for entry in table
            if (os.path.isfile(entry.point) and real in (entry.point, os.path.dirname(entry.point)))
            or (entry.point == real and re.search(_OF_A_GENERATION, entry.root))
        }
    )
