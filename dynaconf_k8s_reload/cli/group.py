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
from .screen import example
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
@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("dynaconf-k8s-reload doctor /config", "dynaconf-k8s-reload show --help"),
)
def cli() -> None:
    """See what a process sees of its mounted ConfigMaps and Secrets, and why.

    All but `rollout` works without a cluster, too: `apply` writes a manifest
    into a directory as the kubelet would.

    Exit code: 0 for fine, 1 for findings, 2 if it could not run, 130 if Ctrl-C
    or a signal ended it first.
    """


for _command in (apply, show, watch, doctor, check, status, rollout):
    cli.add_command(_command)
