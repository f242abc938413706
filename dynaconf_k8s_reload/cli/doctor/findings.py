"""`Finding`: something wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

from ..screen import printable

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
AT_MOST = 10  # nobody reads a longer list to its end


@dataclass(frozen=True)
class Finding:
    """One finding of the doctor.

    Attributes:
        severity: ``"error"``: an update does not arrive; ``"warning"``: what arrives may not be
            what is expected; ``"note"``: by design, but worth knowing.
        title: what is wrong.
        detail: where.
        remedy: what to do about it.
    """

    severity: Severity
    title: str
    detail: str
    remedy: str


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by severity, the gravest first; equals keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def listed(names: Iterable[str]) -> str:
    """List names; of very many, only the first."""
    shown = sorted(map(printable, names))
    more = f" and {len(shown) - AT_MOST} more" if len(shown) > AT_MOST else ""
    return ", ".join(shown[:AT_MOST]) + more


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def as_table(finding: Finding) -> Table:
    """Lay a finding out for the screen."""
    body = Table.grid()
    body.add_row(Text(finding.title, style="bold"))
    body.add_row(Text(finding.detail))
    body.add_row(Text(finding.remedy))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=len("WARNING"))
    grid.add_column(overflow="fold")
    grid.add_row(Text(finding.severity.upper(), style=STYLES[finding.severity]), body)
    return grid
