"""What a roll-out shows: a table that is drawn anew while it goes on, and a line at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table

from ..._model.shown import counted
from ..screen import console, printable
from .verdict import State, Verdict

COLUMNS = ("pod", "node", "container", "processes", "generation", "revision", "lag", "state")
NUMBERS = ("processes", "generation")
LEFT_OUT_FIRST = ("revision", "node", "processes", "lag", "generation")  # where there is no room
NOBODY_MOUNTS_IT = "nobody mounts it; if somebody should, look at --namespace and --selector"
STATE_WIDTH = 40  # a reason in less is hard to read
_STYLES = {State.SERVED: "green", State.WAITING: "yellow", State.UNKNOWN: "yellow"}


def table(verdicts: Sequence[Verdict], width: int) -> Table:
    """Make the table: a row for each directory of each container, in the columns that fit."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.use[:4])
    rows = list(map(_row, ordered))
    made = Table(box=None, pad_edge=False)
    columns = _fitting(rows, width)
    for column in columns:
        made.add_column(column, justify="right" if column in NUMBERS else "left", overflow="fold")
    for verdict, row in zip(ordered, rows, strict=True):
        cells = [row[column] for column in columns]
        made.add_row(*cells, style=_STYLES.get(verdict.state, "red"))
    return made


def _row(verdict: Verdict) -> dict[str, str]:
    use = verdict.use
    return {
        "pod": use.pod,
        "node": use.node,
        "container": use.container,
        "processes": str(verdict.processes or "-"),
        "generation": "-" if verdict.generation is None else str(verdict.generation),
        "revision": verdict.revision or "-",
        "lag": "-" if verdict.lag is None else f"{verdict.lag:.1f} s",
        "state": told(verdict),
    }


def _fitting(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """Choose the columns for a screen: none is to be cut, and a reason is to be readable."""
    needed = {column: max(map(len, [column, *(row[column] for row in rows)])) for column in COLUMNS}
    needed["state"] = min(needed["state"], STATE_WIDTH)
    columns = list(COLUMNS)
    for column in LEFT_OUT_FIRST:
        if sum(needed[each] + 2 for each in columns) - 2 > width:
            columns.remove(column)
    return columns


def told(verdict: Verdict) -> str:
    """Say in one line how far a container is, and why."""
    line = verdict.state.value + (f": {printable(verdict.reason)}" if verdict.reason else "")
    if verdict.restart_required:
        line += f"; a restart is required for {', '.join(map(printable, verdict.restart_required))}"
    return line


def summary(verdicts: Sequence[Verdict]) -> str:
    """Count the containers by how far they are."""
    counts = Counter(verdict.state.value for verdict in verdicts)
    pods = len({verdict.use.pod for verdict in verdicts})
    listed = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    return f"{counted(pods, 'pod')}: {listed or NOBODY_MOUNTS_IT}"


@contextmanager
def shown_live() -> Iterator[Callable[[Sequence[Verdict]], None]]:
    """Give a function that draws the table on a terminal, in place of the one before."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield lambda _: None
        return
    with Live(console=err, transient=True, auto_refresh=False) as live:
        yield lambda verdicts: live.update(table(verdicts, err.width), refresh=True)
