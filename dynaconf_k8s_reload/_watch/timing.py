"""`Timing`: how long a difference that was seen waits before it is applied."""

from __future__ import annotations

import random

SETTLES_AT_MOST = 10.0  # then it is applied even though one mount or another still changes

# Not `random` itself: forked workers would all draw the same, as would a program that calls `seed`.
_RANDOM = random.SystemRandom()


class Timing:
    """Joins the changes of several mounts into one, and sets processes apart.

    A change begins when a difference is seen where none was. It is applied once no mount has
    changed for `settle` seconds, and not before a wait of up to `jitter` seconds, drawn once for
    each change, is over as well. That wait begins after the first `settle` seconds, so that what
    comes meanwhile is applied with it and does not put it off.

    Args:
        settle: seconds for which no mount may have changed.
        jitter: the longest wait, in seconds.
    """

    def __init__(self, settle: float = 0.0, jitter: float = 0.0) -> None:
        self._settle = settle
        self._jitter = jitter
        self._first: float | None = None
        self._last = 0.0
        self._wait = 0.0

    def due(self, now: float, *, moved: bool) -> float:
        """Give the time at which the difference that was seen is to be applied.

        Args:
            now: the time.
            moved: a mount has changed since the last look.
        """
        if self._first is None:
            self._first, self._last = now, now
            self._wait = _RANDOM.uniform(0.0, self._jitter)
        elif moved:
            self._last = now
        settled = min(self._last + self._settle, self._first + self._settle * SETTLES_AT_MOST)
        return max(settled, self._first + self._settle + self._wait)

    def done(self) -> None:
        """It has been applied, or nothing differs any more."""
        self._first = None
