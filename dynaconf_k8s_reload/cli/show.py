"""``show``: what is in a mount, and what becomes of each key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import click
from dynaconf.utils.parse_conf import Lazy, MetaValue, boolean_fix, parse_conf_data
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .._environ.rules import Decision, decide
from .._model.errors import MountError
from .._model.names import Names, without_newline
from .._model.options import Mount, Options
from .._source.content import Payload, Variable
from .._source.reading import read
from .._source.snapshot import Snapshot
from .mounts import described, directories_argument, mounts_of, secret_option, values_option
from .screen import CannotRunError, console, example, printable, put, quoted, say


@click.command(epilog=example("dynaconf-k8s-reload show --values /config --secret /secrets"))
@directories_argument
@secret_option
@values_option
def show(directories: Sequence[str], secrets: Sequence[str], *, values: bool) -> None:
    """Show what each DIR holds: keys, sizes, types, variables.

    TYPE is what dynaconf makes of the text. VARIABLE is the name that envFrom
    and the mirror give it, or why there is none. A volume in memory, as the
    kubelet makes them for Secrets, is taken for one.
    """
    mounts = mounts_of(directories, secrets)
    if not mounts:
        raise click.UsageError("Give at least one directory, such as /config.")
    absent = [mount.path for mount in mounts if not _show(mount, values=values)]
    if absent:
        raise CannotRunError(f"absent: {', '.join(map(printable, absent))}")


def _show(mount: Mount, *, values: bool) -> bool:
    try:
        snapshot = read(mount)
    except MountError as error:
        raise CannotRunError(str(error)) from None
    out = console()
    say(out, printable(mount.path), "bold")
    for line in described(snapshot):
        put(out, Padding(Text(line), (0, 0, 0, 2)))
    if snapshot.files or snapshot.settings_files:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("KEY", overflow="fold")
        table.add_column("BYTES", justify="right", no_wrap=True)
        table.add_column("TYPE", overflow="fold")
        table.add_column("VARIABLE", overflow="fold")
        with_values = values and not mount.secret
        if with_values:
            table.add_column("VALUE", overflow="fold")
        for row in _rows(snapshot):
            shown = [printable(row[0]), f"{len(row[-1]):,}", *row[1:-1]]
            table.add_row(*(Text(cell) for cell in (*shown, quoted(row[-1]))[: 4 + with_values]))
        out.print()
        put(out, Padding(table, (0, 0, 0, 2)))
        out.print()
    return snapshot.present


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, str, str, bytes]]:
    payload = Payload([snapshot])
    options = Options(k8s_mounts=(snapshot.mount,))
    decision = decide(payload, options, Names(), os.environ.get)
    by_key = {
        variable.key: (variable, variable is winner)
        for name, winner in payload.variables.items()
        for variable in payload.provided(name)
    }
    for key, content in sorted({**snapshot.files, **snapshot.settings_files}.items()):
        if key in snapshot.settings_files:
            yield key, "-", "no: a file for settings_files", content
        else:
            variable, wins = by_key[key]
            yield key, _kind(variable), _variable(variable, decision, wins=wins), content


def _kind(variable: Variable) -> str:
    if isinstance(variable.content, bytes):
        return "bytes"
    return "str" if variable.mount.secret else kind_of(variable.content)


def _variable(variable: Variable, decision: Decision, *, wins: bool) -> str:
    if not wins:
        return f"no: another key is {variable.name}, too"
    if variable.name in decision.skipped:
        return f"no: {decision.skipped[variable.name]}"
    return "no: a Secret is not mirrored" if variable.mount.secret else variable.name


def kind_of(text: str) -> str:
    """Name the type that dynaconf gives a text, or its token if that is evaluated later."""
    text = without_newline(text)
    token = text.split(maxsplit=1)[0] if text.startswith("@") else ""
    try:
        value: Any = parse_conf_data(boolean_fix(text), tomlfy=True, box_settings={})
    except Exception:  # noqa: BLE001 -- because a token may raise anything at what it is given
        return f"{token} fails"
    if isinstance(value, (Lazy, MetaValue)):
        return token
    for plain in (dict, list):  # dynaconf has its own of these
        if isinstance(value, plain):
            return plain.__name__
    return type(value).__name__
