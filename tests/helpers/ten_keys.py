"""What the load tests of pins read, twice: ten keys that every update changes together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

NAMES = [f"KEY{number}" for number in range(10)]


def content(number: int) -> dict[str, str]:
    """What the mount holds at first, or after so many swaps."""
    return {f"MYAPP_{name}": str(number) for name in NAMES}


def read_twice(reloader: Any, live: Any, pause: Callable[[], object]) -> dict[str, Any]:
    """Read all keys, pause, and read them again; each asks for a snapshot of its own.

    Args:
        reloader: whose snapshot is pinned.
        live: the live settings, which nothing pins.
        pause: between the two.
    """
    pinned, unpinned = _read(reloader), [live[name] for name in NAMES]
    pause()
    return _told(pinned + _read(reloader), unpinned + [live[name] for name in NAMES])


async def read_twice_later(
    reloader: Any, live: Any, pause: Callable[[], Awaitable[object]]
) -> dict[str, Any]:
    """Do the same on an event loop, where other requests run meanwhile."""
    pinned, unpinned = _read(reloader), [live[name] for name in NAMES]
    await pause()
    return _told(pinned + _read(reloader), unpinned + [live[name] for name in NAMES])


def _read(reloader: Any) -> list[int]:
    return [reloader.snapshot()[name] for name in NAMES]


def _told(pinned: list[int], live: list[int]) -> dict[str, Any]:
    return {"number": max(pinned), "mixed": len({*pinned}) > 1, "live_mixed": len({*live}) > 1}
