"""`Finding`: something wrong, and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._model.errors import nearest
from .._model.shown import counted
from .screen import AT_MOST, Function, Option, listed, put, say, verbose_option

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
KEYS = "{keys}"  # where a detail lists them

# Every finding's name, by which it can be silenced.
NAMES = (
    "absent-mount",
    "application-writes-variable",
    "binary-key",
    "byte-order-mark",
    "case-only",
    "changed-by-reload",
    "colliding-keys",
    "content-refused",
    "directory-not-read",
    "env-loader",
    "environment-too-large",
    "environment-wins",
    "file-like-key",
    "import-unfinished",
    "inotify-exhausted",
    "inotify-nearly-exhausted",
    "last-good-not-kept",
    "last-good-serves",
    "last-good-unusable",
    "lost-by-reload",
    "no-events",
    "no-loader",
    "no-mount",
    "no-prefix",
    "not-a-variable",
    "not-in-locale",
    "not-readable",
    "plain-directory",
    "protected-name",
    "refused-by-reload",
    "reserved-name",
    "restart-key",
    "set-by-code",
    "settings-not-loaded",
    "sub-path",
    "threads-replaced",
    "too-large",
    "unreadable-mount",
    "value-fails",
    "variables-differ",
    "windows-line-ending",
)

# For the end of a command's help: click would break lines within a name.
NAMES_LISTED = "\b\nNames of findings:\n" + textwrap.fill(
    ", ".join(NAMES), 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
)


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        name: one of `NAMES`.
        severity: ``"error"``: an update does not arrive; ``"warning"``: what arrives may not be
            what is expected; ``"note"``: by design, but worth knowing.
        title: what is wrong.
        detail: where; `KEYS` in it stands for the keys.
        remedy: what to do about it.
        keys: what it is about: keys, variables or settings.
    """

    name: str
    severity: Severity
    title: str
    detail: str
    remedy: str
    keys: Sequence[str] = ()

    def where(self, at_most: int | None = AT_MOST) -> str:
        """Give the detail, with so many keys at most."""
        return self.detail.replace(KEYS, listed(self.keys, at_most))

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON, with every key."""
        return {
            "name": self.name,
            "severity": self.severity,
            "title": self.title,
            "detail": self.where(),
            "remedy": self.remedy,
            "keys": sorted(self.keys),
        }


class _Name(click.Choice):  # type: ignore[type-arg,unused-ignore] # reason: generic from click 8.2 on
    """The name of a finding; since they are many, a mistake is answered with the nearest one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value not in NAMES:
            meant = nearest(value, NAMES)
            self.fail(
                f"{value!r} is not the name of a finding; {f'write {meant}; ' if meant else ''}"
                "dynaconf-k8s-reload doctor --help lists them all",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


_ignore: Option = click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="NAME",
    type=_Name(NAMES),
    help="Leave this finding out; its name stands in parentheses after it. May be given again.",
)
_fail_on: Option = click.option(
    "--fail-on",
    metavar="SEVERITY",
    type=click.Choice(SEVERITIES),
    default="warning",
    show_default=True,
    help="The least severity for which the exit code is 1: note, warning or error.",
)


def findings_options(function: Function) -> Function:
    """Add to a command's function what decides which findings it prints, how, and how it ends."""
    return _ignore(_fail_on(verbose_option(function)))


def selected(findings: Iterable[Finding], ignored: Sequence[str]) -> list[Finding]:
    """Sort what is not ignored by severity, the gravest first; equals keep their order."""
    left = [finding for finding in findings if finding.name not in ignored]
    return sorted(left, key=lambda finding: SEVERITIES.index(finding.severity))


def fails(findings: Iterable[Finding], fail_on: Severity) -> bool:
    """Tell whether one of them is as severe as that, or more so."""
    counting = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return any(finding.severity in counting for finding in findings)


def sentence(text: str) -> str:
    """Begin with a capital letter, unless it begins with a name, and end with a full stop."""
    first = text.partition(" ")[0]
    begin = text[:1].upper() if first.isalpha() else text[:1]
    return f"{begin}{text[1:].rstrip('.')}."


def as_table(finding: Finding, *, verbose: bool) -> Table:
    """Lay a finding out for the screen."""
    body = Table.grid()
    body.add_column(overflow="fold")
    title = Text(finding.title, style="bold")
    body.add_row(title.append(f" ({finding.name})", style="not bold dim"))
    body.add_row(Text(finding.where(None if verbose else AT_MOST)))
    body.add_row(Text(finding.remedy))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=len("WARNING"))
    grid.add_column(overflow="fold")
    grid.add_row(Text(finding.severity.upper(), style=STYLES[finding.severity]), body)
    return grid


def print_findings(out: Console, findings: Sequence[Finding], *, verbose: bool) -> None:
    """Print each, and how many there are."""
    for finding in findings:
        out.print()
        put(out, as_table(finding, verbose=verbose))
    out.print()
    say(out, f"{counted(len(findings), 'finding')}." if findings else "All is fine.")
