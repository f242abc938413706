"""What a roll-out shows: a table that is drawn anew while it goes on, and a line at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table

from ..screen import console, counted, printable
from .verdict import State, Verdict

COLUMNS = ("pod", "node", "container", "processes", "generation", "revision", "lag", "state")
_STYLES = {State.SERVED: "green", State.WAITING: "yellow", State.UNKNOWN: "yellow"}


def table(verdicts: Sequence[Verdict]) -> Table:
    """Make the table: a row for each directory of each container."""
    made = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        made.add_column(column, justify="right" if column in COLUMNS[3:5] else "left")
    for each in sorted(verdicts, key=lambda verdict: verdict.use[:4]):
        use = each.use
        made.add_row(
            *(use.pod, use.node, use.container, str(each.processes or "-")),
            "-" if each.generation is None else str(each.generation),
            each.revision or "-",
            "-" if each.lag is None else f"{each.lag:.1f} s",
            told(each),
            style=_STYLES.get(each.state, "red"),
        )
    return made


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
    return f"{counted(pods, 'pod')}: {listed or 'nobody mounts it'}"


@contextmanager
def shown_live() -> Iterator[Callable[[Sequence[Verdict]], None]]:
    """Give a function that draws the table on a terminal, in place of the one before."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield lambda _: None
        return
    with Live(console=err, transient=True, auto_refresh=False) as live:
        yield lambda verdicts: live.update(table(verdicts), refresh=True)
