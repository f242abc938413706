"""What may be wrong with a directory itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._model.errors import MountError
from .._model.mount import Mount
from .._source.reading import Snapshot, read
from .facts import MountEntry, file_system, sub_paths
from .findings import Finding, sentence
from .screen import printable

__all__ = ["look"]


def look(mount: Mount, table: Sequence[MountEntry]) -> tuple[Snapshot | None, list[Finding]]:
    """Read a mount, and check its directory; of one that cannot be read, give the findings only."""
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
        yield Finding(
            "error",
            "The directory is absent",
            f"{name} is not there.",
            "Mount the volume there: mountPath in the container's volumeMounts.",
        )
        return
    if not snapshot.generation_dir and not is_sub_path:
        yield Finding(
            "warning",
            "Not a Kubernetes volume",
            f"{name} has no ..data, so an update of it may be seen half written.",
            "Mount a ConfigMap or Secret there; on a laptop, write it with "
            "dynaconf-k8s-reload apply.",
        )
    without_events = file_system(path)
    if without_events:
        yield Finding(
            "warning",
            "The file system gives no events",
            f"{name} is on {without_events}: the kernel does not hear what others write there.",
            "Updates are found by comparing, each k8s_resync seconds (30): set it to the delay "
            "that you can bear.",
        )


def _sub_path(path: str, table: Sequence[MountEntry]) -> Iterator[Finding]:
    for point in sub_paths(path, table):
        yield Finding(
            "error",
            "A subPath mount never changes",
            f"{printable(point)} is mounted by itself, as it was when the container started.",
            "Mount the whole volume as a directory, without subPath.",
        )


def _unreadable(error: MountError) -> Finding:
    problem, _, remedy = str(error).partition("; ")
    return Finding("error", "The mount cannot be read", sentence(problem), sentence(remedy))
