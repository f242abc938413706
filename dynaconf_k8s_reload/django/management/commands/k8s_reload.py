"""``manage.py k8s_reload``: what a process of this project makes of its mounts."""

from __future__ import annotations

import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from .... import ConfigError, get_reloader
from ...._dynaconf.django import current_settings
from ...._reload.commands import speaks_of
from ...._reload.pending import told_pending
from ...._reload.probe import probe
from ...checks import TAG


class Command(BaseCommand):  # type: ignore[misc] # reason: Django is untyped
    """Shows names, kinds and counts, never a value."""

    help = (
        "Without values: the status of this fresh process as JSON (the default), the system checks "
        "of the mounts, or how the mounts differ from the environment that it was started with."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to show."""
        parser.add_argument("what", nargs="?", choices=["status", "check", "diff"])

    def handle(self, *_: Any, what: str | None = None, **options: Any) -> None:
        """Show it.

        Raises:
            CommandError: the loader is not in use, or a check fails.
        """
        if what == "check":
            call_command("check", "--tag", TAG, stdout=self.stdout, no_color=options["no_color"])
            return
        settings = current_settings()
        try:
            reloader = get_reloader(settings)
        except ConfigError as error:
            raise CommandError(str(error)) from None
        if what == "diff":
            reloader.stop(restore=True)  # so that the variables are those of the start again
            self.stdout.write(told_pending(settings))
        else:
            data = {"process": speaks_of(), **probe(reloader)[1]}
            self.stdout.write(json.dumps(data, indent=2))
