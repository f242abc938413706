"""The commands as one group of click's."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from .apply.command import apply
from .asking import INTERRUPTED
from .check.command import check
from .doctor.command import doctor
from .rollout.command import rollout
from .show import show
from .status import status
from .watch import watch


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None  # click would say 1, which is for findings


@click.version_option(__version__, message="%(prog)s %(version)s")
@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """See what a process sees of its mounted ConfigMaps and Secrets, and why.

    Everything works without a cluster, too: `apply` writes a manifest into a
    directory as the kubelet would.
    """


for _command in (apply, show, watch, doctor, check, status, rollout):
    cli.add_command(_command)
