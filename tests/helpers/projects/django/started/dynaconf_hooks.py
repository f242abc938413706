"""Hooks beside the settings module, which dynaconf runs when Django's defaults are there."""

from __future__ import annotations

from typing import Any


def post(settings: Any) -> dict[str, Any]:
    """Merge with one of Django's defaults, and tell of another."""
    return {
        "dynaconf_merge": True,
        "FIXTURE_DIRS": ["/fixtures"],
        "FORMAT_SEEN": settings.get("DATE_FORMAT"),
    }
