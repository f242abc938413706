"""Time as it passes, whatever a test or an application has put in the place of ``time``.

freezegun and its like stand still or jump, and replace the functions of ``time`` in every module
that is loaded. A deadline by such a clock never comes, so the system is asked by another name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial

# Seconds that only ever grow; they compare between processes of one machine.
monotonic: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_MONOTONIC)

# The same in nanoseconds; no two calls in one thread give the same.
monotonic_ns: Callable[[], int] = partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)


def now() -> datetime:
    """Give the time of day, with its zone."""
    return datetime.fromtimestamp(time.clock_gettime(time.CLOCK_REALTIME), timezone.utc)
