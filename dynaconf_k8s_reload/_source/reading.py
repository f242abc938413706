"""Reading all mounts of an application, and what is wrong with them meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .._model.errors import MountError
from .._model.options import Options
from .fingerprint import Token
from .mounts import Mount, Snapshot, read
from .turns import short_turns

__all__ = ["Reader"]

FIRST_SECONDS = 1.0  # a kubelet up to 1.20 sets fsGroup on the files after it has published them
RETRY_EVERY = 0.05


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
        give_up = time.monotonic() + FIRST_SECONDS
        while True:
            try:
                with short_turns():
                    snapshots = self._read_all(options, ())
                break
            except MountError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(RETRY_EVERY)  # nothing tells when a file becomes readable
        for snapshot in snapshots:
            if snapshot.mount.required and not snapshot.present:
                raise MountError(
                    f"mount {snapshot.mount.path} is absent and required; mount the ConfigMap "
                    "there, or drop required=True to wait for it"
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
        self.problems.pop(mount.path, None)
        try:
            snapshot = read(mount)
            _refuse_half(snapshot, before)
        except MountError as error:
            self.problems[mount.path] = str(error)
            raise
        if snapshot.present or before is None:
            return snapshot
        if before.files or before.settings_files:
            self.problems[mount.path] = "the directory is gone; its last good content is kept"
        return before._replace(token=snapshot.token, present=False)


def _refuse_half(snapshot: Snapshot, before: Snapshot | None) -> None:
    if before is not None and before.generation_dir and snapshot.token.is_plain:
        raise MountError(
            f"mount {snapshot.mount.path}: ..data is gone, so the directory is only half there; "
            "it is read again once a writer has put it back"
        )
