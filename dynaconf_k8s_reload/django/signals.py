"""`settings_reloaded`, and Django's own ``setting_changed`` where the project asks for it."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

from django.core.signals import setting_changed
from django.db import connections
from django.dispatch import Signal

from .. import Changes, Reloader, get_reloader
from .._dynaconf import told
from .._dynaconf.django import current_settings, sender_of_changes

__all__ = ["settings_reloaded"]

settings_reloaded: Signal = Signal()
"""Sent after each reload that changed a setting, in a thread of its own.

Arguments: ``sender``, the `Reloader`, and ``changes``, the `Changes`.
"""

_sending: ContextVar[bool] = ContextVar("sending", default=False)


def send_reloaded(changes: Changes) -> None:
    """Send `settings_reloaded`."""
    _send(get_reloader(current_settings()), changes, {})


def send_both(changes: Changes) -> None:
    """Send `settings_reloaded`, and ``setting_changed`` once for each top-level setting."""
    reloader = get_reloader(current_settings())
    new = reloader.snapshot()
    names = dict.fromkeys(change.key.partition(".")[0] for change in changes.values())
    _send(reloader, changes, {name: (new.get(name), name in new) for name in names})


def _send(reloader: Reloader, changes: Changes, settings: dict[str, tuple[Any, bool]]) -> None:
    _sending.set(True)
    try:
        settings_reloaded.send_robust(sender=reloader, changes=changes)
        sender = sender_of_changes()
        for name, (value, present) in settings.items():
            setting_changed.send_robust(sender=sender, setting=name, value=value, enter=present)
    finally:
        _sending.set(False)
        connections.close_all()  # this thread's only, which no request would ever close


def _redacted(record: logging.LogRecord) -> bool:
    """Keep an exception's message, which may hold a value, out of Django's log of receivers."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and _sending.get():
        record.msg, record.args = "A receiver of a reload failed: %s", (told(error),)
        record.exc_info = None
    return True


logging.getLogger("django.dispatch").addFilter(_redacted)
