"""The command line: write a mount, look into one, watch one, and find what is wrong with one."""

from __future__ import annotations

import click

from .. import __version__
from .apply.command import apply
from .check.command import check
from .doctor.command import doctor
from .show import show
from .watch import watch

__all__ = ["cli"]


@click.version_option(__version__, message="%(prog)s %(version)s")
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """See what a process sees of its mounted ConfigMaps and Secrets, and why.

    Everything works without a cluster, too: `apply` writes a manifest into a
    directory as the kubelet would.
    """


for command in (apply, show, watch, doctor, check):
    cli.add_command(command)
