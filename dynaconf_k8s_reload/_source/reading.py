"""Reading a mount into a `Snapshot` of a single generation.

The directory's token is taken before and after the files are read, and what was read counts only
if it is the same: a writer may have published another generation meanwhile.
"""

from __future__ import annotations

import os
import time
from types import MappingProxyType

from dynaconf.constants import ALL_EXTENSIONS

from .._model.clock import monotonic
from .._model.errors import MountError
from .._model.mount import Mount
from .._model.shown import escaped
from .fingerprint import DATA_LINK, OUTSIDE, Found, Token, is_inside, name_of, token, visible
from .snapshot import Snapshot

MAX_FILE_BYTES = 1024 * 1024  # all of a ConfigMap is at most 1 MiB
USUAL_FILE_BYTES = 16 * 1024
SETTINGS_FILE_EXTENSIONS = (*ALL_EXTENSIONS, ".py")
READ_SECONDS = 2.0
LINK_SECONDS = 0.25
LINK_EVERY = 0.001
READ_ONLY = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # never waits for a FIFO

_LET_READ = "let the process's user read it (defaultMode, fsGroup)"
_REMEDIES = {
    "EACCES": _LET_READ,
    "EPERM": _LET_READ,
    "ENOENT": "it is read again once its writer has put it there",
    "ENOTDIR": "name the directory of the volume, not a file",
}


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
    link = os.path.join(mount.path, DATA_LINK)
    generation_dir = before.target
    root = os.path.join(mount.path, generation_dir) if generation_dir else mount.path
    contents: tuple[dict[str, bytes], dict[str, bytes]] = ({}, {})
    outside: list[str] = []
    key, place = "", DATA_LINK if generation_dir else "the directory"
    try:
        committed = os.lstat(link).st_mtime if generation_dir else os.stat(root).st_mtime
        for found in _found(mount, root):
            key = found.key
            is_settings_file = key.endswith(SETTINGS_FILE_EXTENSIONS)
            if not mount.takes(key, whole=is_settings_file):
                continue
            if found.error == OUTSIDE:
                outside.append(key)
                continue
            if found.path is None:
                return _unreadable(mount, key, found.error)
            if not generation_dir:
                committed = max(committed, os.lstat(found.path).st_mtime)
            contents[is_settings_file][key] = _read_file(mount, key, found.path)
    except OSError as error:
        return _unreadable(mount, key or place, name_of(error), is_key=bool(key))
    except MountError as error:
        return error.with_traceback(None)
    return Snapshot(
        mount,
        before,
        present=True,
        generation_dir=generation_dir,
        committed_at=committed,
        files=MappingProxyType(contents[False]),
        settings_files=MappingProxyType(contents[True]),
        outside=tuple(outside),
    )


def _found(mount: Mount, root: str) -> list[Found]:
    """List what the keys of a mount are, in their order."""
    within = os.path.realpath(mount.path)
    if not is_inside(os.path.realpath(root), within):
        raise MountError(
            "..data leads out of the mount, so nothing of it is read; point it to a directory "
            "inside, as the kubelet does",
            mount=mount.path,
        )
    return sorted(visible(root, within))


def _unreadable(mount: Mount, entry: str, error: str, *, is_key: bool = True) -> MountError:
    remedy = _REMEDIES.get(error, "look at the volume")
    return MountError(
        f"{escaped(entry)} cannot be read ({error}); {remedy}",
        mount=mount.path,
        keys=[entry] if is_key else (),
    )


def _read_file(mount: Mount, key: str, path: str) -> bytes:
    # Three system calls: at each the interpreter lock may go to a busy thread for 5 ms.
    descriptor = os.open(path, READ_ONLY)
    try:
        content = os.read(descriptor, USUAL_FILE_BYTES)
        while len(content) >= USUAL_FILE_BYTES and (more := os.read(descriptor, MAX_FILE_BYTES)):
            content += more
            if len(content) > MAX_FILE_BYTES:
                raise MountError(
                    f"{escaped(key)} is larger than 1 MiB, more than a ConfigMap may hold; make it "
                    "smaller, or leave it out with exclude",
                    mount=mount.path,
                    keys=[key],
                )
    finally:
        os.close(descriptor)
    return content
