"""``manage.py k8s_reload``: what a process of this project makes of its mounts."""

from __future__ import annotations

import json
from http import HTTPStatus
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
        "Show how this project follows its mounts; never a value. The exit code is 1 if the status "
        "is unhealthy, a check finds an error, or the settings cannot be loaded."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to show."""
        parser.add_argument(
            "what",
            nargs="?",
            choices=["status", "check", "diff"],
            help="status, the default: that of this fresh process, as JSON; check: the system "
            "checks of the mounts; diff: how the mounts differ from the environment that this "
            "process was started with.",
        )

    def handle(self, *_: Any, what: str | None = None, **options: Any) -> None:
        """Show it.

        Raises:
            CommandError: the loader is not in use, or a check fails.
            SystemExit: the status is unhealthy.
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
            code, data = probe(reloader)
            self.stdout.write(json.dumps({"process": speaks_of(), **data}, indent=2))
            if code != HTTPStatus.OK:
                raise SystemExit(1)
