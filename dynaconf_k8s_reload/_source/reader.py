"""Reading all mounts of one application, and what is wrong with them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from .._model.clock import monotonic
from .._model.errors import MountError
from .._model.mount import Mount
from .._model.options import Options
from .._model.record import replace
from .fingerprint import DATA_LINK, Token
from .reading import read
from .snapshot import Snapshot
from .switch_interval import short_switch_interval

DEFAULT_MOUNT = "/config"
FIRST_SECONDS = 1.0  # a kubelet up to 1.20 sets fsGroup on the files after it has published them
RETRY_EVERY = 0.05
GONE = "the directory is gone; its last good content is kept"
UNREAD = Token(error="unread")  # equal to nothing that a directory can be


def default_mounts() -> list[str]:
    """Give the mounts where none are named: the usual place, if there is a volume."""
    return [DEFAULT_MOUNT] if os.path.islink(os.path.join(DEFAULT_MOUNT, DATA_LINK)) else []


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

    def saw(self, snapshots: Iterable[Snapshot]) -> None:
        """Have the watch find whatever is not as it was read for these."""
        self.seen = tuple(snapshot.token for snapshot in snapshots)

    def read_first(self, options: Options) -> list[Snapshot]:
        """Read the mounts for a first load, patient for a moment.

        Raises:
            MountError: a mount cannot be read, or a required one is absent.
        """
        give_up = monotonic() + FIRST_SECONDS
        while True:
            try:
                with short_switch_interval():
                    snapshots = self._read_all(options, (), {})
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

    def read(
        self,
        options: Options,
        before: Sequence[Snapshot],
        known: dict[Mount, Snapshot] | None = None,
    ) -> list[Snapshot]:
        """Read each mount, one generation each; of one that has gone, keep the last content.

        Args:
            options: say which mounts.
            before: what they held.
            known: what has been read just now, for another application; it is added to.

        Raises:
            MountError: a mount cannot be read.
        """
        try:
            snapshots = self._read_all(options, before, {} if known is None else known)
        except MountError:  # it is to be read again, even if it comes back to what was seen
            self.seen = (UNREAD,) * len(options.k8s_mounts)
            raise
        self.saw(snapshots)
        return snapshots

    def _read_all(
        self, options: Options, before: Sequence[Snapshot], known: dict[Mount, Snapshot]
    ) -> list[Snapshot]:
        held = {snapshot.mount: snapshot for snapshot in before}
        return [self._read_one(mount, held.get(mount), known) for mount in options.k8s_mounts]

    def _read_one(
        self, mount: Mount, before: Snapshot | None, known: dict[Mount, Snapshot]
    ) -> Snapshot:
        try:
            snapshot = known[mount] = known.get(mount) or read(mount)
            _refuse_half(snapshot, before)
        except MountError as error:
            self.problems[mount.path] = str(error)
            raise
        self.problems.pop(mount.path, None)  # only now: until then the last one is true
        problem = snapshot.left_out or snapshot.never_changes
        if problem:
            self.problems[mount.path] = problem
        if snapshot.present or before is None:
            return snapshot
        if before.files or before.settings_files:
            self.problems[mount.path] = GONE
        return replace(before, token=snapshot.token, present=False)


def _refuse_half(snapshot: Snapshot, before: Snapshot | None) -> None:
    if before is not None and before.generation_dir and snapshot.token.is_plain:
        raise MountError(
            "..data is gone, so the directory is only half there; it is read again once a writer "
            "has put it back",
            mount=snapshot.mount.path,
        )
