"""``async for changes in reloader.changes()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._model.changes import Changes
from .event_loops import running_loop
from .notifier import Notifier

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class _Mailbox:
    """Changes that have not been taken yet, merged; touched on the event loop only."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        import asyncio  # noqa: PLC0415 -- because of the cost, see `event_loops`

        self._loop = loop
        self.arrived = asyncio.Event()
        self.changes = Changes()

    def deliver(self, changes: Changes) -> None:
        """Have changes added; called in the notifier's thread."""
        self._loop.call_soon_threadsafe(self._put, changes)

    def _put(self, changes: Changes) -> None:
        """Add changes; what cancels out is forgotten."""
        self.changes = self.changes.then(changes)
        if self.changes:
            self.arrived.set()
        else:
            self.arrived.clear()

    async def take(self) -> Changes:
        """Wait until there are changes, and take all of them."""
        await self.arrived.wait()
        taken, self.changes = self.changes, Changes()
        self.arrived.clear()
        return taken


class Stream:
    """An asynchronous iterator of the changes that happen from its making on.

    Changes that happen while nobody waits for them are merged.

    Raises:
        ConfigError: no event loop runs while it is made.
    """

    def __init__(self, notifier: Notifier, patterns: tuple[str, ...]) -> None:
        loop = running_loop("iterate over changes() in a coroutine")
        self._notifier = notifier
        # Nobody else holds it, so nothing is delivered any more once the stream is gone.
        self._mailbox = _Mailbox(loop)
        notifier.subscribe("change", self._mailbox.deliver, patterns)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Changes:
        return await self._mailbox.take()

    async def aclose(self) -> None:
        """Unsubscribe; so does dropping the iterator."""
        self._notifier.unsubscribe(self._mailbox.deliver)
