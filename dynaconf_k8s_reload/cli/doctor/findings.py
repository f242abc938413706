"""`Finding`: something wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..screen import printable, put

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
AT_MOST = 10  # a list of keys that nobody reads to its end


@dataclass(frozen=True)
class Finding:
    """One finding of the doctor.

    Attributes:
        severity: ``"error"``: an update does not arrive; ``"warning"``: something else arrives
            than may be expected; ``"note"``: by design, but worth knowing.
        title: what is wrong.
        detail: where.
        remedy: what to do about it.
    """

    severity: Severity
    title: str
    detail: str
    remedy: str


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the gravest first, otherwise as they came."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def listed(names: Iterable[str]) -> str:
    """List names, and of very many the first."""
    shown = sorted(map(printable, names))
    more = f" and {len(shown) - AT_MOST} more" if len(shown) > AT_MOST else ""
    return ", ".join(shown[:AT_MOST]) + more


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def show(out: Console, finding: Finding) -> None:
    """Print a finding."""
    body = Table.grid()
    body.add_row(Text(finding.title, style="bold"))
    body.add_row(Text(finding.detail))
    body.add_row(Text(finding.remedy))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=len("WARNING"))
    grid.add_column(overflow="fold")
    grid.add_row(Text(finding.severity.upper(), style=STYLES[finding.severity]), body)
    out.print()
    put(out, grid)
