"""Time as it passes, whatever a test or an application has put in the place of ``time``.

freezegun and its like stand still or jump, and replace the functions of ``time`` in every module
that is loaded. A deadline by such a clock never comes, so the system is asked by another name.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone


def monotonic() -> float:
    """Give seconds that only ever grow; they compare between processes of one machine."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def monotonic_ns() -> int:
    """Give the same in nanoseconds; no two calls in one thread give the same."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def now() -> datetime:
    """Give the time of day, with its zone."""
    return datetime.fromtimestamp(time.clock_gettime(time.CLOCK_REALTIME), timezone.utc)
