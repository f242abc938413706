"""The changes of a volume on a screen: a line each or, if they are many, a line for each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from .._model.changes import Change
from .._model.shown import counted
from .screen import LONG, SUCH_AS, listed, say

STYLES = {"added": "green", "modified": "yellow", "removed": "red"}


def print_changes(
    out: Console, changes: Sequence[Change], line: Callable[[Change], str], *, verbose: bool
) -> None:
    """Print them, each as `line` gives it; many are summed up, unless all are asked for."""
    if verbose or len(changes) <= LONG:
        for change in changes:
            say(out, line(change), STYLES[change.kind])
        return
    for kind, style in STYLES.items():
        keys = [change.key for change in changes if change.kind == kind]
        if keys:
            number = counted(len(keys), "key")
            say(out, f"  {kind:8}  {number} (-v lists all): {listed(keys, SUCH_AS)}", style)
