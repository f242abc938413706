"""Reading mounts, each into an immutable `Snapshot` of a single generation.

The directory's token is taken before and after the files are read, and what was read counts only
if it is the same: a writer may have published another generation meanwhile.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from dynaconf.constants import ALL_EXTENSIONS

from .._model.clock import monotonic
from .._model.errors import MountError
from .._model.options import Mount, Options
from .._model.shown import escaped
from .fingerprint import DATA_LINK, Token, name_of, token, visible
from .switch_interval import short_switch_interval

DEFAULT_MOUNT = "/config"
MAX_FILE_BYTES = 1024 * 1024  # all of a ConfigMap is at most 1 MiB
USUAL_FILE_BYTES = 16 * 1024
SETTINGS_FILE_EXTENSIONS = (*ALL_EXTENSIONS, ".py")
READ_SECONDS = 2.0
FIRST_SECONDS = 1.0  # a kubelet up to 1.20 sets fsGroup on the files after it has published them
RETRY_EVERY = 0.05

_LET_READ = "let the process's user read it (defaultMode, fsGroup)"
_REMEDIES = {
    errno.EACCES: _LET_READ,
    errno.EPERM: _LET_READ,
    errno.ENOENT: "it is read again once its writer has put it there",
    errno.ENOTDIR: "name the directory of the volume, not a file",
}


class Snapshot(NamedTuple):
    """What one mount held in one generation.

    Attributes:
        mount: the mount that was read.
        token: what `token` said of the directory when it was read.
        present: the directory was there.
        generation_dir: the directory that ``..data`` named; ``None`` for a plain directory.
        committed_at: Unix time at which the writer published it; ``None`` if nothing is there.
        files: key to content, in the order of the keys.
        settings_files: the same for files that dynaconf itself may load (``app.toml``).
    """

    mount: Mount
    token: Token
    present: bool = False
    generation_dir: str | None = None
    committed_at: float | None = None
    files: Mapping[str, bytes] = MappingProxyType({})
    settings_files: Mapping[str, bytes] = MappingProxyType({})


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
        try:
            snapshot = _read_once(mount, before)
        except MountError:
            if token(mount.path) == before:
                raise
        else:
            if token(mount.path) == before:
                return snapshot
        if monotonic() > give_up:
            raise MountError(
                f"it kept changing for {seconds:g} s while it was read; "
                "it is read again at the next comparison",
                mount=mount.path,
            )


def _read_once(mount: Mount, before: Token) -> Snapshot:
    if before == Token():
        return Snapshot(mount, before)
    link = os.path.join(mount.path, DATA_LINK)
    generation_dir = before.target
    root = os.path.join(mount.path, generation_dir) if generation_dir else mount.path
    files: dict[str, bytes] = {}
    settings_files: dict[str, bytes] = {}
    committed: float | None = None
    found: dict[str, os.DirEntry[str]] = {}
    key = DATA_LINK if generation_dir else "the directory"
    try:
        committed = os.lstat(link).st_mtime if generation_dir else os.stat(root).st_mtime
        found = dict(visible(root))
        for key in sorted(found):
            entry = found[key]
            is_settings_file = key.endswith(SETTINGS_FILE_EXTENSIONS)
            if not mount.takes(key, whole=is_settings_file):
                continue
            if not generation_dir:
                committed = max(committed, entry.stat().st_mtime)
            (settings_files if is_settings_file else files)[key] = _read_file(
                mount, key, entry.path
            )
    except OSError as error:
        raise MountError(
            f"{escaped(key)} cannot be read ({name_of(error)}); "
            f"{_REMEDIES.get(error.errno or 0, 'look at the volume')}",
            mount=mount.path,
            keys=[key] if key in found else (),
        ) from None
    return Snapshot(
        mount,
        before,
        present=True,
        generation_dir=generation_dir,
        committed_at=committed,
        files=MappingProxyType(files),
        settings_files=MappingProxyType(settings_files),
    )


def _read_file(mount: Mount, key: str, path: str) -> bytes:
    # Three system calls: at each the interpreter lock may go to a busy thread for 5 ms.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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


class Reader:
    """Reads the mounts of one application.

    Attributes:
        seen: the tokens of what was read last, in the order of the mounts; of a first load, once
            it has succeeded.
        problems: directory to what is wrong with it.
    """

    def __init__(self) -> None:
        self.seen: tuple[Token, ...] = ()
        self.problems: dict[str, str] = {}

    def read_first(self, options: Options) -> list[Snapshot]:
        """Read the mounts for a first load, patient for a moment.

        Raises:
            MountError: a mount cannot be read, or a required one is absent.
        """
        give_up = monotonic() + FIRST_SECONDS
        while True:
            try:
                with short_switch_interval():
                    snapshots = self._read_all(options, ())
                break
            except MountError:
                if monotonic() > give_up:
                    raise
                time.sleep(RETRY_EVERY)  # nothing tells when a file becomes readable
        for snapshot in snapshots:
            if snapshot.mount.required and not snapshot.present:
                raise MountError(
                    "it is absent and required; mount the ConfigMap there, or drop required=True "
                    "to wait for it",
                    mount=snapshot.mount.path,
                )
        return snapshots

    def read(self, options: Options, before: Sequence[Snapshot]) -> list[Snapshot]:
        """Read each mount, one generation each; of one that has gone, keep the last content.

        Raises:
            MountError: a mount cannot be read.
        """
        snapshots = self._read_all(options, before)
        self.seen = tuple(snapshot.token for snapshot in snapshots)
        return snapshots

    def _read_all(self, options: Options, before: Sequence[Snapshot]) -> list[Snapshot]:
        known = {snapshot.mount: snapshot for snapshot in before}
        return [self._read_one(mount, known.get(mount)) for mount in options.k8s_mounts]

    def _read_one(self, mount: Mount, before: Snapshot | None) -> Snapshot:
        try:
            snapshot = read(mount)
            _refuse_half(snapshot, before)
        except MountError as error:
            self.problems[mount.path] = str(error)
            raise
        self.problems.pop(mount.path, None)  # only now: until then the last one is true
        if snapshot.present or before is None:
            return snapshot
        if before.files or before.settings_files:
            self.problems[mount.path] = "the directory is gone; its last good content is kept"
        return before._replace(token=snapshot.token, present=False)


def _refuse_half(snapshot: Snapshot, before: Snapshot | None) -> None:
    if before is not None and before.generation_dir and snapshot.token.is_plain:
        raise MountError(
            "..data is gone, so the directory is only half there; it is read again once a writer "
            "has put it back",
            mount=snapshot.mount.path,
        )


def default_mounts() -> list[str]:
    """Give the mounts where none are named: the usual place, if there is a volume."""
    return [DEFAULT_MOUNT] if os.path.islink(os.path.join(DEFAULT_MOUNT, DATA_LINK)) else []
