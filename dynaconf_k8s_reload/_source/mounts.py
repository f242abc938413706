"""`Mount`, and reading one into an immutable `Snapshot` of a single generation.

The directory's token is taken before and after the files are read, and what was read counts only
if it is the same: a writer may have published another generation meanwhile.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import NamedTuple

from dynaconf.constants import ALL_EXTENSIONS

from .._model.errors import ConfigError, MountError
from .._model.slips import nearest
from .fingerprint import DATA_LINK, Token, name_of, token, visible

__all__ = ["Mount", "Snapshot", "read"]

MAX_FILE_BYTES = 1024 * 1024  # all of a ConfigMap is at most 1 MiB
USUAL_FILE_BYTES = 16 * 1024
SETTINGS_FILE_EXTENSIONS = (*ALL_EXTENSIONS, ".py")
READ_SECONDS = 2.0

_LET_READ = "let the process's user read it (defaultMode, fsGroup)"
_REMEDIES = {
    errno.EACCES: _LET_READ,
    errno.EPERM: _LET_READ,
    errno.ENOENT: "it is read again once its writer has put it there",
    errno.ENOTDIR: "name the directory of the volume, not a file",
}


@dataclass(frozen=True)
class Mount:
    """A directory whose file names are keys and whose files' contents are values.

    Attributes:
        path: absolute path of the directory.
        prefix: put before each file name, like ``envFrom``'s ``prefix``.
        mirror: mirror into ``os.environ``; ``None`` follows ``k8s_mirror``.
        secret: never mirrored, taken literally, and printed by no tool.
        required: an absent directory is an error at the first load.
        prefixed_only: only names with the application's prefix become settings; ``None`` follows
            ``k8s_prefixed_only``.
        env_from: the same ConfigMap is also the pod's ``envFrom``, so a key that goes is unset and
            never given back; ``False`` says that it is not, so that what the process had always
            returns. ``None`` takes a value for the ConfigMap's if it equals the mount's first one.
        include: shell-style patterns of the keys to read.
        exclude: shell-style patterns of the keys to leave out.

    Raises:
        ConfigError: a field is of the wrong type, or the path is not absolute.
    """

    path: str
    prefix: str = ""
    mirror: bool | None = None
    secret: bool = False
    required: bool = False
    prefixed_only: bool | None = None
    env_from: bool | None = None
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.path, (str, os.PathLike)):
            raise ConfigError(
                f"a mount's path is a string, not {type(self.path).__name__}; write '/config'"
            )
        if not os.path.isabs(self.path):
            raise ConfigError(
                f"the mount path {os.fspath(self.path)!r} is not absolute; write the volume's "
                "mountPath, such as '/config'"
            )
        object.__setattr__(self, "path", os.path.normpath(os.fspath(self.path)))
        if not isinstance(self.prefix, str):
            raise ConfigError(f"the prefix of mount {self.path} is not a string; write 'APP_'")
        for name in ("mirror", "secret", "required", "prefixed_only", "env_from"):
            allowed = (bool,) if name in ("secret", "required") else (bool, type(None))
            if not isinstance(getattr(self, name), allowed):
                raise ConfigError(
                    f"{name} of mount {self.path} is not a boolean; write true or false"
                )
        for name in ("include", "exclude"):
            patterns = getattr(self, name)
            if not isinstance(patterns, (list, tuple)) or not all(
                isinstance(pattern, str) for pattern in patterns
            ):
                raise ConfigError(
                    f"{name} of mount {self.path} is not a list of strings; write {name}=['APP_*']"
                )
            object.__setattr__(self, name, tuple(patterns))

    @classmethod
    def of(cls, value: object) -> Mount:
        """Make a mount of a path, of a table with the fields of this class, or of a `Mount`.

        Raises:
            ConfigError: the value is none of these, or a field is unknown.
        """
        if isinstance(value, Mount):
            return value
        if isinstance(value, Mapping):
            fields = {str(name).lower(): value[name] for name in value}
            for name in fields:
                if name not in cls.__dataclass_fields__:
                    known = cls.__dataclass_fields__
                    raise ConfigError(
                        f"a mount has no field {name!r}{nearest(name, known)}; "
                        f"write one of {', '.join(known)}"
                    )
            if "path" not in fields:
                raise ConfigError("a mount has no path; write {path = '/config'}")
            return cls(**fields)
        if isinstance(value, (str, os.PathLike)):
            return cls(os.fspath(value))
        raise ConfigError(
            f"a mount is a path, a table or a Mount, not {type(value).__name__}; write '/config'"
        )

    def takes(self, key: str, *, whole: bool = False) -> bool:
        """Tell whether `exclude` and, unless the mount is taken whole, `include` let a key in."""
        if not whole and self.include != ("*",) and not _matches(key, self.include):
            return False
        return not (self.exclude and _matches(key, self.exclude))


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


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
    give_up = time.monotonic() + seconds
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
        if time.monotonic() > give_up:
            raise MountError(
                f"mount {mount.path} kept changing for {seconds:g} s while it was read; "
                "it is read again at the next comparison"
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
            f"mount {mount.path}: {key} cannot be read ({name_of(error)}); "
            f"{_REMEDIES.get(error.errno or 0, 'look at the volume')}"
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
                    f"mount {mount.path}: {key} is larger than 1 MiB, more than a ConfigMap may "
                    "hold; make it smaller, or leave it out with exclude"
                )
    finally:
        os.close(descriptor)
    return content
