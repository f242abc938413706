"""The blinker signal that tells a Flask application's other parts of a reload."""

from __future__ import annotations

from blinker import NamedSignal

__all__ = ["settings_reloaded"]

settings_reloaded: NamedSignal = NamedSignal(
    "settings-reloaded",
    "Sent after each reload that changed a setting, in the notifier's thread; the sender is the "
    "Flask app, and `changes` are the `Changes`.",
)
