"""What may be wrong with the last good content that an application keeps, or is about to need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ..._reload.last_good import NONE_KEPT, UnusableError, recall
from ..._source.snapshot import Snapshot
from ..findings import Finding, sentence
from ..screen import printable

EMPTY_DIR = "Mount an emptyDir there that the process's user may write."


def check_last_good(
    directory: str, snapshots: Sequence[Snapshot], *, refused: bool
) -> Iterator[Finding]:
    """Check what ``k8s_last_good`` names.

    Args:
        directory: its value.
        snapshots: of all mounts, as they are now.
        refused: a process that starts with them would be refused, and want what was kept.
    """
    shown = printable(directory)
    if not _may_be_written(directory):
        yield Finding(
            "last-good-not-kept",
            "warning",
            "The last good content cannot be kept",
            f"This user may not write {shown}.",
            EMPTY_DIR,
        )
    try:
        recalled = recall(directory, snapshots)
    except UnusableError as unusable:
        reason = str(unusable)
        if refused or reason != NONE_KEPT:
            yield Finding(
                "last-good-unusable",
                "warning",
                "There is no last good content to fall back to",
                f"{shown}: {sentence(reason)}",
                "The next content that is accepted is kept there.",
            )
        return
    if refused:
        yield Finding(
            "last-good-serves",
            "note",
            "A process that starts now serves the last good content",
            f"{shown} has what was accepted at {recalled.written_at}.",
            "Correct what is refused; the next content that is accepted ends it.",
        )


def _may_be_written(directory: str) -> bool:
    """Tell whether this user may write a directory, or make it in one that is there."""
    while not os.path.lexists(directory) and directory != os.path.dirname(directory):
        directory = os.path.dirname(os.path.abspath(directory))
    return os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK)
