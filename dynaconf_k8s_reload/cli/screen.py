"""What all commands share on a screen: no markup, nothing unprintable, an end by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

import click
from rich.console import Console, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.segment import Segment, Segments

from .._model.shown import counted

Function = TypeVar("Function", bound=Callable[..., Any])

UNBROKEN = 1_000_000  # columns
AT_MOST = 10  # nobody reads a longer list to its end
LONG = 50  # keys, or changes; more than that is summed up
SUCH_AS = 3


class Option(Protocol):
    """An option, or an argument, that several commands take."""

    def __call__(self, function: Function, /) -> Function:
        """Add it to a command's function."""


class CannotRunError(click.ClickException):
    """The command cannot do what it was asked for."""

    exit_code = 2


def console(*, stderr: bool = False) -> Console:
    """Make a console that prints what it is given: a key may look like markup.

    A terminal's lines are as long as it is wide; those of a file or a pipe are never broken.
    """
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = UNBROKEN
    return made


def say(out: Console, line: str, style: str = "") -> None:
    """Print a line that only the terminal itself may wrap, so that a path stays in one piece."""
    out.print(line, style=style, soft_wrap=True)


def put(out: Console, what: RenderableType) -> None:
    """Print a table without the blanks that pad its lines, which are of no use in a file."""
    for line in out.render_lines(what, pad=False):
        while line and not line[-1].text.strip():
            line.pop()
        last = line.pop() if line else Segment("")
        line.append(Segment(last.text.rstrip(), last.style))
        out.print(Segments([*line, Segment.line()]), end="")


def example(*lines: str) -> str:
    """Make the examples at the end of a command's help, which click must not wrap."""
    return f"\b\nExample{'s' if len(lines) > 1 else ''}:\n" + "\n".join(
        f"  {line}" for line in lines
    )


def listed(names: Iterable[str], at_most: int | None = AT_MOST) -> str:
    """List names in order; of very many, only the first, and how many more there are."""
    shown = sorted(map(printable, names))
    if at_most is None or len(shown) <= at_most + 1:  # "1 more" takes no less room than its name
        return ", ".join(shown)
    return f"{', '.join(shown[:at_most])} and {len(shown) - at_most:,} more"


def print_json(data: object) -> None:
    """Print data as JSON, for a program to read; what the output cannot encode is escaped."""
    escaping = sys.stdout.encoding.lower() != "utf-8"
    click.echo(json.dumps(data, indent=2, ensure_ascii=escaping))


def printable(name: str | os.PathLike[str]) -> str:
    """Give a name as it is, or quoted if it would disturb a terminal."""
    text = os.fspath(name)
    return text if text.isprintable() else repr(text)


def quoted(content: bytes) -> str:
    """Give a file's content on one line: text in quotes, other bytes as a count."""
    try:
        return json.dumps(content.decode(), ensure_ascii=False)
    except UnicodeDecodeError:
        return f"({counted(len(content), 'byte')}, not UTF-8)"


json_option: Option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for a program."
)
verbose_option: Option = click.option(
    "-v", "--verbose", is_flag=True, help="List everything, however long the list is."
)


@contextmanager
def steps() -> Iterator[Any]:
    """Give a function that shows on a terminal what is going on, in place of what it showed last.

    It uses no thread: an application that is imported meanwhile may replace threads.
    """
    err = console(stderr=True)
    if not err.is_terminal:  # rich up to 13 ends even a disabled display with an empty line
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda text: progress.update(task, description=text, refresh=True)


def until_ended(run: Callable[[], object]) -> None:
    """Call a function until Ctrl-C or SIGTERM, neither of which is a failure."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            run()
    finally:
        signal.signal(signal.SIGTERM, before)
