"""``show``: what is in a mount, and what becomes of each key."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .._environ.rules import Decision, decide
from .._model.errors import MountError
from .._model.mount import Mount
from .._model.names import Names
from .._model.options import Options
from .._source.content import Payload, Variable
from .._source.reading import read
from .._source.snapshot import Snapshot
from .kinds import kind_of_variable
from .mounts import (
    as_dict,
    directories_argument,
    json_of,
    mounts_of,
    print_head,
    secret_option,
    values_option,
)
from .screen import (
    LONG,
    SUCH_AS,
    CannotRunError,
    console,
    example,
    json_option,
    listed,
    print_json,
    printable,
    put,
    quoted,
    verbose_option,
)


@click.command(epilog=example("dynaconf-k8s-reload show --values /config --secret /secrets"))
@directories_argument
@secret_option
@values_option
@verbose_option
@json_option
def show(
    directories: Sequence[str],
    secrets: Sequence[str],
    *,
    values: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Show what each DIR holds: keys, sizes, types, variables.

    TYPE is what dynaconf makes of the text. VARIABLE is the name that envFrom
    and the mirror give it, or why there is none. More than 50 keys are summed
    up. A volume in memory, as the kubelet makes them for Secrets, is taken for
    one.

    Exit code: 0, or 2 if a DIR is absent or cannot be read.
    """
    mounts = mounts_of(directories, secrets)
    if not mounts:
        raise click.UsageError("Give at least one directory, such as /config.")
    snapshots = [_read(mount) for mount in mounts]
    if as_json:
        print_json([_as_dict(snapshot, values=values) for snapshot in snapshots])
    else:
        for snapshot in snapshots:
            _print(snapshot, values=values, verbose=verbose)
    absent = [snapshot.mount.path for snapshot in snapshots if not snapshot.present]
    if absent:
        raise CannotRunError(f"absent: {', '.join(map(printable, absent))}")


class Row(NamedTuple):
    """What becomes of a key.

    Attributes:
        key: the key.
        kind: the type of its setting.
        variable: the variable's name; ``None`` if it is not mirrored.
        reason: why not.
        content: the file's content.
    """

    key: str
    kind: str
    variable: str | None
    reason: str
    content: bytes

    @property
    def fate(self) -> str:
        """Its variable, or why there is none."""
        return self.variable if self.variable is not None else f"no: {self.reason}"


def _read(mount: Mount) -> Snapshot:
    try:
        return read(mount)
    except MountError as error:
        raise CannotRunError(str(error)) from None


def _print(snapshot: Snapshot, *, values: bool, verbose: bool) -> None:
    out = console()
    print_head(out, snapshot)
    rows = list(_rows(snapshot))
    if rows:
        long = len(rows) > LONG and not verbose
        table = _sums(rows) if long else _table(rows, values=values and not snapshot.mount.secret)
        out.print()
        put(out, Padding(table, (0, 0, 0, 2), expand=False))
        out.print()


def _table(rows: Sequence[Row], *, values: bool) -> Table:
    table = _empty_table("KEY", "BYTES", "TYPE", "VARIABLE", *(["VALUE"] if values else []))
    for row in rows:
        cells = [printable(row.key), f"{len(row.content):,}", row.kind, row.fate]
        table.add_row(*map(Text, [*cells, *([quoted(row.content)] if values else [])]))
    return table


def _sums(rows: Sequence[Row]) -> Table:
    """Sum up by type and by what becomes of the variable."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        fate = "its name" if row.variable is not None else row.fate
        groups[row.kind, fate].append(row.key)
    table = _empty_table("KEYS", "TYPE", "VARIABLE", "SUCH AS (-v lists all)")
    for (kind, fate), keys in sorted(groups.items(), key=lambda group: -len(group[1])):
        table.add_row(*map(Text, [f"{len(keys):,}", kind, fate, listed(keys, SUCH_AS)]))
    return table


def _empty_table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        is_number = name in ("BYTES", "KEYS")
        table.add_column(
            name, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
        )
    return table


def _as_dict(snapshot: Snapshot, *, values: bool) -> dict[str, Any]:
    shown = values and not snapshot.mount.secret
    rows = [
        {
            "key": row.key,
            "bytes": len(row.content),
            "type": row.kind,
            "variable": row.variable,
            "reason": row.reason or None,
        }
        | ({"value": json_of(row.content)} if shown else {})
        for row in _rows(snapshot)
    ]
    return {**as_dict(snapshot), "keys": rows}


def _rows(snapshot: Snapshot) -> Iterator[Row]:
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
            yield Row(key, "-", None, "a file for settings_files", content)
        else:
            variable, wins = by_key[key]
            reason = _why_not(variable, decision, wins=wins)
            name = None if reason else variable.name
            yield Row(key, kind_of_variable(variable), name, reason, content)


def _why_not(variable: Variable, decision: Decision, *, wins: bool) -> str:
    """Say why a variable is not mirrored; nothing if it is."""
    if not wins:
        return f"another key is {variable.name}, too"
    if variable.name in decision.skipped:
        return str(decision.skipped[variable.name])
    return "a Secret is not mirrored" if variable.mount.secret else ""
