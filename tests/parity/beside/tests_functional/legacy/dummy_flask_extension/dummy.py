"""A Flask extension that is a function."""

from __future__ import annotations

from typing import Any


def init_app(app: Any) -> None:
    """Leave a mark on the application."""
    app.is_dummy_loaded = True
