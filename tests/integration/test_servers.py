"""Every server and every worker that people run Python on: each process follows, and none pays.

All cells are a tox environment of their own, `servers`; an ordinary run takes one of each kind.
With ``TABLE`` in the environment the table of docs/guarantees.md is written anew.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from matrix_cells import CELLS, END_SECONDS, Cell, run

ROWS: list[str] = []
TABLE = Path(__file__).parents[2] / "docs" / "recordings" / "servers.md"


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """The table, once all have run."""
    yield
    if "TABLE" in os.environ:
        heading = (
            "| run by | processes seen | answers | failed (plain dynaconf) | jobs run twice | "
            "slowest to follow | ended in |\n|---|---|---|---|---|---|---|\n"
        )
        TABLE.write_text(heading + "\n".join(ROWS) + "\n")


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(
            cell,
            id=cell.name,
            marks=[pytest.mark.servers, *([pytest.mark.heavy] if cell.sample else [])],
        )
        for cell in CELLS
    ],
)
def test_every_process_follows(cell: Cell, tmp_path: Path) -> None:
    """With no failed request, no answer that goes back, no job run twice, an end when asked for."""
    if cell.missing:
        pytest.skip(f"{cell.missing} is not installed")
    seen = run(cell, tmp_path / "ours")
    failures = len(seen.failures)
    plain = len(run(cell, tmp_path / "plain", plain=True).failures) if failures else 0
    twice = [job for job, count in Counter(seen.jobs).items() if count > 1]
    name = re.sub(r"(--[\w-]+)", r"`\1`", cell.name)
    row = (
        f"| {name} | {len(seen.pids)} | {len(seen.answers)} | {failures} ({plain}) | "
        f"{len(twice)} | {seen.slowest():.2f} s | {seen.ended_in:.1f} s |"
    )
    print(row)
    ROWS.append(row)
    assert len(seen.pids) >= cell.processes + cell.recycles
    assert seen.back() == [], (tmp_path / "ours" / "log").read_text()[-3000:]
    assert seen.unhealthy == []
    assert failures <= plain, seen.failures[:5]
    assert twice == []
    assert seen.ended_in < END_SECONDS
