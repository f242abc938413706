"""The layout of the kubelet's volume, and what of it a writer may replace or remove.

A writer touches what a kubelet would have made and nothing else: a hand-made ``..data`` may lead to
the only copy of something.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable
from contextlib import suppress

from .fingerprint import DATA_LINK

NEW_LINK = "..data_tmp"

_SEGMENT = re.compile(r"(?!\.(\.|$))[-._a-zA-Z0-9]{1,253}")
_MADE = re.compile(r"\.\.\d{4}(_\d\d){5}\.\d+")  # the name that each write gives its directory


def check_keys(keys: Collection[str]) -> None:
    """Refuse keys that Kubernetes does not allow in a volume.

    Raises:
        ValueError: it does not allow one, or one is both a file and a directory.
    """
    for key in keys:
        if not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
            raise ValueError(
                f"{key!r} cannot be a key: each part of its path must be 1 to 253 characters of "
                "[-._a-zA-Z0-9], neither '.' nor starting with '..', and the path not absolute"
            )
    for key in folders(keys).intersection(keys):
        raise ValueError(f"{key!r} cannot be a key: it is also the directory of another key")


def folders(keys: Iterable[str]) -> set[str]:
    """Give each directory that these keys lie in, however deep."""
    return {key[:end] for key in keys for end, character in enumerate(key) if character == "/"}


def top_level(keys: Iterable[str]) -> set[str]:
    """Give the names of these keys that stand in the volume itself."""
    return {key.partition("/")[0] for key in keys}


def generation(directory: str) -> str | None:
    """Give the directory that ``..data`` names, which a writer will remove; ``None`` before one.

    Raises:
        ValueError: it is not what a kubelet would have made: a directory whose name starts with
            ``..``, right inside the volume.
        OSError: the volume cannot be looked at.
    """
    link = os.path.join(directory, DATA_LINK)
    mode = _mode(link)
    if mode is None:
        return None
    if not stat.S_ISLNK(mode):
        raise ValueError(f"{link} is not a link, so {directory} is not a volume; move it away")
    name = os.readlink(link)
    named = name.startswith("..") and "/" not in name and name not in ("..", DATA_LINK, NEW_LINK)
    mode = _mode(os.path.join(directory, name)) if named else None
    if not named or not (mode is None or stat.S_ISDIR(mode)):
        raise ValueError(
            f"{link} leads to {name!r}, which is not a directory '..…' right inside {directory}, "
            "and a writer would remove it; point the link elsewhere or remove it"
        )
    return name


def check_names(directory: str, names: Iterable[str]) -> None:
    """Refuse to write where something else has the place of a link.

    Raises:
        ValueError: something that is not the kubelet's link has one of these names, or
            ``..data_tmp`` is not a link.
    """
    for name in sorted(names):
        path = os.path.join(directory, name)
        if not _leads_into_data(directory, name) and os.path.lexists(path):
            raise ValueError(f"{path} is in the way of a link into ..data; move it away")
    mode = _mode(os.path.join(directory, NEW_LINK))
    if mode is not None and not stat.S_ISLNK(mode):
        raise ValueError(f"{os.path.join(directory, NEW_LINK)} is not a link; move it away")


def remove_leftovers(directory: str, old: str | None) -> None:
    """Remove what is of another generation than ``..data`` names: of `old`, or of a killed writer.

    These are links to names that it does not have, directories that a writer made, and
    ``..data_tmp``.

    Args:
        directory: the volume.
        old: the directory that ``..data`` named before.
    """
    present = generation(directory)
    kept = {DATA_LINK}
    with suppress(FileNotFoundError):  # no write has succeeded yet, or somebody has removed it
        kept.update(os.listdir(os.path.join(directory, DATA_LINK)))
    gone = sorted(set(os.listdir(directory)) - kept)
    for name in gone:
        if name == NEW_LINK or _leads_into_data(directory, name):
            os.unlink(os.path.join(directory, name))
    for name in gone:
        if name != present and (name == old or _MADE.fullmatch(name)):
            mode = _mode(os.path.join(directory, name))
            if mode is not None and stat.S_ISDIR(mode):  # links within are removed, not followed
                shutil.rmtree(os.path.join(directory, name))


def files_below(root: str) -> dict[str, bytes | None]:
    """Read every file below a directory, by its path there; ``None`` for what is not a file."""
    content: dict[str, bytes | None] = {}
    for folder, folders_within, names in os.walk(root):
        for name in names + [each for each in folders_within if os.path.islink(f"{folder}/{each}")]:
            path = os.path.join(folder, name)
            key = path[len(root) + 1 :]
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb", buffering=0) as file:
                    content[key] = file.read()
            else:
                content[key] = None
    return content


def _leads_into_data(directory: str, name: str) -> bool:
    with suppress(OSError):
        return os.readlink(os.path.join(directory, name)) == f"{DATA_LINK}/{name}"
    return False


def _mode(path: str) -> int | None:
    with suppress(FileNotFoundError):
        return os.lstat(path).st_mode
    return None
