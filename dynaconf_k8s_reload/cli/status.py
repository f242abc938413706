"""The command ``status``: ask running processes how they are."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .asking import DESCRIPTION, EXAMPLES, JSON_HELP, PROBE_HELP, ask
from .screen import example


@click.command(help=DESCRIPTION, epilog=example(*EXAMPLES))
@click.argument("pids", metavar="[PID]...", type=int, nargs=-1)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.option("--probe", is_flag=True, help=PROBE_HELP)
@click.pass_context
def status(context: click.Context, pids: Sequence[int], *, as_json: bool, probe: bool) -> None:
    """Ask; its help is ``asking``'s, which does without click."""
    context.exit(ask(pids, as_json=as_json, probe=probe))
