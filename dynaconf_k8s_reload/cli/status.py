"""The command ``status``: ask running processes how they are."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .asking import ask
from .screen import example


@click.command(epilog=example("dynaconf-k8s-reload status", "dynaconf-k8s-reload status --probe 1"))
@click.argument("pids", metavar="[PID]...", type=int, nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a list with a status for each.")
@click.option("--probe", is_flag=True, help="Print nothing; exit with 1 unless all are healthy.")
@click.pass_context
def status(context: click.Context, pids: Sequence[int], *, as_json: bool, probe: bool) -> None:
    """Ask running processes how they are.

    Without a PID it asks all that it finds. They keep their status in memory, so
    this needs no port and no file. It works without the other commands'
    requirements, too.
    """
    context.exit(ask(pids, as_json=as_json, probe=probe))
