"""What may keep updates from arriving: the directory, its file system, this machine."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence

from ..._model.errors import MountError
from ..._model.mount import Mount
from ..._source.mount_table import MountEntry, sub_paths
from ..._source.reading import read
from ..._source.snapshot import Snapshot
from ..findings import Finding, sentence
from ..screen import printable
from .linux import Inotify, file_system, inotify_error

NEARLY = 0.9
WITHOUT = "Without events the mounts are compared every second, so nothing is lost."

_LIMITS = {
    errno.EMFILE: ("instance", "fs.inotify.max_user_instances"),
    errno.ENOSPC: ("watch", "fs.inotify.max_user_watches"),
}


def look(mount: Mount, table: Sequence[MountEntry]) -> tuple[Snapshot | None, list[Finding]]:
    """Read a mount and check its directory; if it cannot be read, give the findings only."""
    findings = list(_sub_path(mount.path, table))
    try:
        snapshot = read(mount)
    except MountError as error:
        return None, findings or [_unreadable(error)]
    findings.extend(_directory(snapshot, is_sub_path=bool(findings)))
    return snapshot, findings


def _directory(snapshot: Snapshot, *, is_sub_path: bool) -> Iterator[Finding]:
    path = snapshot.mount.path
    name = printable(path)
    if not snapshot.present:
        yield absent(path)
        return
    if not snapshot.generation_dir and not is_sub_path:
        yield Finding(
            "plain-directory",
            "warning",
            "Not a Kubernetes volume",
            f"{name} has no ..data, so an update of it may be seen half written.",
            "Mount a ConfigMap or Secret there; on a laptop, write it with "
            "dynaconf-k8s-reload apply.",
        )
    if inotify_error(path) == errno.EACCES:
        yield Finding(
            "not-readable",
            "warning",
            "The directory may not be read",
            f"{name} can be entered, but not read or watched, by this process.",
            f"Let the process's user read it (defaultMode, fsGroup). {WITHOUT}",
        )
    without_events = file_system(path)
    if without_events:
        yield Finding(
            "no-events",
            "warning",
            "The file system gives no events",
            f"{name} is on {without_events}: the kernel does not hear what others write there.",
            "Updates are found by comparing, each k8s_resync seconds (30): set it to the delay "
            "that you can bear.",
        )


def absent(path: str) -> Finding:
    """Make the finding of a mount that is not there."""
    return Finding(
        "absent-mount",
        "error",
        "The directory is absent",
        f"{printable(path)} is not there.",
        "Mount the volume there: mountPath in the container's volumeMounts.",
    )


def _sub_path(path: str, table: Sequence[MountEntry]) -> Iterator[Finding]:
    for point in sub_paths(path, table):
        yield Finding(
            "sub-path",
            "error",
            "A subPath mount never changes",
            f"{printable(point)} is mounted by itself, as it was when the container started.",
            "Mount the whole volume as a directory, without subPath.",
        )


def _unreadable(error: MountError) -> Finding:
    problem, _, remedy = str(error).partition("; ")
    return Finding(
        "unreadable-mount",
        "error",
        "The mount cannot be read",
        sentence(problem),
        sentence(remedy),
        error.keys,
    )


def check_system(inotify: Inotify | None, error: int, patched: str) -> Iterator[Finding]:
    """Check the machine and this process.

    Args:
        inotify: how much of it is in use.
        error: the errno of an attempt to watch; 0 if it worked.
        patched: what has replaced the threads of the process, if anything has.
    """
    if inotify is not None:
        yield from _inotify(inotify, error)
    if patched:
        yield Finding(
            "threads-replaced",
            "warning",
            f"{patched} has replaced threads",
            "watchdog cannot run in such a process.",
            f"{WITHOUT} Another worker class has events.",
        )


def _inotify(inotify: Inotify, error: int) -> Iterator[Finding]:
    figures = (
        f"This user's processes, as far as they are seen from here, have {inotify.instances:,} "
        f"of {inotify.max_instances:,} instances and {inotify.watches:,} of "
        f"{inotify.max_watches:,} watches."
    )
    if error in _LIMITS:
        what, limit = _LIMITS[error]
        yield Finding(
            "inotify-exhausted",
            "warning",
            f"No inotify {what} is left",
            figures,
            f"Raise {limit} on the node. {WITHOUT}",
        )
        return
    nearly = [
        limit
        for limit, used, most in (
            ("fs.inotify.max_user_instances", inotify.instances, inotify.max_instances),
            ("fs.inotify.max_user_watches", inotify.watches, inotify.max_watches),
        )
        if used >= NEARLY * most
    ]
    if nearly:
        yield Finding(
            "inotify-nearly-exhausted",
            "warning",
            "inotify is nearly used up",
            figures,
            f"Raise {' and '.join(nearly)} on the node. {WITHOUT}",
        )
