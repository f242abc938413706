"""The command line: write a mount, look into one, watch one, and find what is wrong with one.

The group is imported at its first use: `status` works without the extra that the others need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .group import cli

__all__ = ["cli"]


def __getattr__(name: str) -> Any:
    if name != "cli":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".group", __name__).cli
