"""Reading a mount into a `Snapshot` of a single generation.

The directory's token is taken before and after the files are read, and what was read counts only
if it is the same: a writer may have published another generation meanwhile.
"""

from __future__ import annotations

import os
import time
from operator import itemgetter
from types import MappingProxyType

from .._model.clock import monotonic
from .._model.errors import MountError
from .._model.mount import Mount
from .._model.shown import escaped
from .files import MAX_FILE_BYTES, Files
from .fingerprint import DATA_LINK, OUTSIDE, Token, is_inside, name_of, token, visible
from .mount_table import mount_table, sub_paths
from .snapshot import SETTINGS_FILE_EXTENSIONS, Snapshot

READ_SECONDS = 2.0
LINK_SECONDS = 0.25
LINK_EVERY = 0.001

_LET_READ = "let the process's user read it (defaultMode, fsGroup)"
_REMEDIES = {
    "EACCES": _LET_READ,
    "EPERM": _LET_READ,
    "ENOENT": "it is read again once its writer has put it there",
}
_REMEDIES_OF_A_MOUNT = {**_REMEDIES, "ENOTDIR": "name the directory of the volume, not a file"}


def read(mount: Mount, *, seconds: float = READ_SECONDS) -> Snapshot:
    """Read one generation of a mount, whole.

    Args:
        mount: the mount to read.
        seconds: how long to go on trying while the writer keeps moving ``..data``.

    Raises:
        MountError: a file cannot be read or is too large, or the directory kept changing.
    """
    give_up = monotonic() + seconds
    while True:
        before = token(mount.path)
        outcome = _read_once(mount, before)
        if isinstance(outcome, Snapshot):
            _wait_for_links(outcome)
        if token(mount.path) == before:
            if isinstance(outcome, MountError):
                raise outcome
            return outcome
        if monotonic() > give_up:
            raise MountError(
                f"it kept changing for {seconds:g} s while it was read; "
                "it is read again at the next comparison",
                mount=mount.path,
            )


def _wait_for_links(snapshot: Snapshot) -> None:
    """Wait a moment until dynaconf finds the settings files, which it opens by the mount's links.

    A kubelet makes new links only after it has published (``atomic_writer.go``, ``Write``).
    """
    give_up = monotonic() + LINK_SECONDS
    while not snapshot.has_links and monotonic() < give_up:
        time.sleep(LINK_EVERY)  # nothing tells when a link is made


def _read_once(mount: Mount, before: Token) -> Snapshot | MountError:
    """Read a mount, or give the error.

    It is not raised here: who looks at an exception's frames would see what has been read.
    """
    if before == Token():
        return Snapshot(mount, before)
    generation_dir = before.target
    contents: tuple[dict[str, bytes], dict[str, bytes]] = ({}, {})
    outside: list[str] = []
    key, place = "", DATA_LINK if generation_dir else "the directory"
    try:
        within = os.path.realpath(mount.path)
        root = _resolved(within, generation_dir) if generation_dir else within
        if not is_inside(root, within):
            return _leads_out(mount)
        committed = os.lstat(os.path.join(within, DATA_LINK) if generation_dir else root).st_mtime
        with Files(within) as files:
            for found in sorted(visible(root, within), key=itemgetter(0)):
                key = found.key
                is_settings_file = key.endswith(SETTINGS_FILE_EXTENSIONS)
                if not mount.takes(key, whole=is_settings_file):
                    continue
                if found.path is None:
                    if found.error != OUTSIDE:
                        return _unreadable(mount, key, found.error)
                    outside.append(key)
                    continue
                if not generation_dir:
                    committed = max(committed, os.lstat(found.path).st_mtime)
                contents[is_settings_file][key] = content = files.read(found.path)
                if len(content) > MAX_FILE_BYTES:
                    return _too_large(mount, key)
    except OSError as error:
        return _unreadable(mount, key or place, name_of(error), is_key=bool(key))
    return Snapshot(
        mount,
        before,
        present=True,
        generation_dir=generation_dir,
        committed_at=committed,
        files=MappingProxyType(contents[False]),
        settings_files=MappingProxyType(contents[True]),
        outside=tuple(outside),
        fixed=() if generation_dir else tuple(sub_paths(within, mount_table())),
    )


def _resolved(within: str, target: str) -> str:
    """Give where ``..data`` leads, links resolved; right inside, as the kubelet has it, at once."""
    root = os.path.join(within, target)
    is_name = os.sep not in target and target not in (os.curdir, os.pardir)
    return root if is_name and not os.path.islink(root) else os.path.realpath(root)


def _leads_out(mount: Mount) -> MountError:
    return MountError(
        "..data leads out of the mount, so nothing of it is read; point it to a directory "
        "inside, as the kubelet does",
        mount=mount.path,
    )


def _too_large(mount: Mount, key: str) -> MountError:
    return MountError(
        f"{escaped(key)} is larger than 1 MiB, more than a ConfigMap may hold; make it smaller, or "
        "leave it out with exclude",
        mount=mount.path,
        keys=[key],
    )


def _unreadable(mount: Mount, entry: str, error: str, *, is_key: bool = True) -> MountError:
    remedy = (_REMEDIES if is_key else _REMEDIES_OF_A_MOUNT).get(error, "look at the volume")
    return MountError(
        f"{escaped(entry)} cannot be read ({error}); {remedy}",
        mount=mount.path,
        keys=[entry] if is_key else (),
    )
