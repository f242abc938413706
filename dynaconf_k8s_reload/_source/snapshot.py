"""What one mount held in one generation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import field

from dynaconf.constants import ALL_EXTENSIONS

from .._model.mount import Mount
from .._model.record import record
from .._model.shown import few
from .fingerprint import Token

REVISION_LENGTH = 16
SETTINGS_FILE_EXTENSIONS = (*ALL_EXTENSIONS, ".py")


def revision_of(contents: Mapping[str, bytes]) -> str:
    """Give a hash of what a mount holds, which a tool can make of a manifest, too.

    It is the start of the SHA-256 of all keys in their order: for each, the key, a zero byte, the
    content's length in bytes as a decimal number, a zero byte, and the content.
    """
    return _digest(contents)[:REVISION_LENGTH]


def _digest(contents: Mapping[str, bytes]) -> str:
    told = [
        b"%b\0%d\0%b" % (key.encode(), len(text), text)
        for key in sorted(contents)
        for text in (contents[key],)
    ]
    return hashlib.sha256(b"".join(told)).hexdigest()


@record
class Snapshot:
    """What one mount held in one generation; never changed once made.

    It is not a tuple, since what shows an error's frames shows each item of one.

    Attributes:
        mount: the mount that was read.
        token: what `token` said of the directory when it was read.
        present: the directory was there.
        generation_dir: the directory that ``..data`` named; ``None`` for a plain directory.
        committed_at: Unix time at which the writer published it; ``None`` if nothing is there.
        files: key to content, in the order of the keys.
        settings_files: the same for files that dynaconf itself may load (``app.toml``).
        outside: the links that lead out of the mount, and so are no part of its content.
        fixed: what is mounted by itself, as by ``subPath``: such a file, or the whole directory.
    """

    mount: Mount
    token: Token
    present: bool = False
    generation_dir: str | None = None
    committed_at: float | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    settings_files: Mapping[str, bytes] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    def __repr__(self) -> str:
        keys = len(self.files) + len(self.settings_files)
        return f"<Snapshot of {self.mount.path}: {keys} keys>"

    @property
    def digest(self) -> str:
        """A hash of the content, in whatever mount it is; `revision` is its start."""
        # No `cached_property`: before Python 3.12 it has a lock, which a fork may leave held.
        worked_out: dict[str, str] = vars(self)
        if "_digest" not in worked_out:
            worked_out["_digest"] = _digest({**self.files, **self.settings_files})
        return worked_out["_digest"]

    @property
    def revision(self) -> str:
        """The start of the digest, for people and tools, see `revision_of`."""
        return self.digest[:REVISION_LENGTH]

    @property
    def left_out(self) -> str | None:
        """Say which links lead out of the mount, and what to do about it."""
        if not self.outside:
            return None
        opened = [key for key in self.outside if key.endswith(SETTINGS_FILE_EXTENSIONS)]
        said = f", though dynaconf opens {few(opened)} if settings_files lists it" if opened else ""
        return (
            f"mount {self.mount.path}: links that lead out of it are left out "
            f"({few(self.outside)}){said}; put the files themselves there, or name them in exclude"
        )

    @property
    def never_changes(self) -> str | None:
        """Say what of the mount no update reaches, and what to do about it."""
        if not self.fixed:
            return None
        return (
            f"mount {self.mount.path}: no update reaches what subPath mounts "
            f"({few(self.fixed)}); mount the whole volume as a directory"
        )

    @property
    def has_links(self) -> bool:
        """The mount has a way to each settings file, as far as it is a volume of the kubelet's."""
        root = self.mount.path
        return self.generation_dir is None or all(
            os.path.exists(os.path.join(root, key)) for key in self.settings_files
        )
