"""Running until somebody ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

__all__ = ["until_ended"]


def until_ended(run: Callable[[], object]) -> None:
    """Call a function, and take Ctrl-C and SIGTERM for its end, which is no failure."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            run()
    finally:
        signal.signal(signal.SIGTERM, before)
