"""The application's event loop, from a coroutine that is in it and from a thread that is not.

Importing asyncio takes half as long as importing this package, so only an application that has a
loop pays for it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from .._model.errors import ConfigError

if TYPE_CHECKING:
    import asyncio

LOOP_CHECK_SECONDS = 1.0


def running_loop(remedy: str) -> asyncio.AbstractEventLoop:
    """Give the running event loop.

    Raises:
        ConfigError: none runs; the message says `remedy`.
    """
    import asyncio  # noqa: PLC0415 -- because of the cost, see above

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(f"no event loop is running; {remedy}") from None


def wait_for(coroutine: Coroutine[Any, Any, object], loop: asyncio.AbstractEventLoop) -> None:
    """Run a coroutine on its loop and wait for it, as long as that loop lives.

    Raises:
        RuntimeError: the loop is closed, or closes before the coroutine has ended.
        BaseException: whatever the coroutine raises.
    """
    import asyncio  # noqa: PLC0415 -- because of the cost, see above
    import concurrent.futures  # noqa: PLC0415 -- as above

    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:
        coroutine.close()
        raise
    while not concurrent.futures.wait([future], timeout=LOOP_CHECK_SECONDS).done:
        if loop.is_closed():
            raise RuntimeError("the event loop was closed")
    future.result()
