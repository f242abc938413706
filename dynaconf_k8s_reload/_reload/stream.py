"""``async for changes in reloader.changes()``."""

from __future__ import annotations

import weakref

from .._model.changes import Changes
from .event_loops import running_loop
from .notifier import Notifier


class _Mailbox:
    """Changes that have not been taken yet, merged; touched on the event loop only."""

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 -- because of the cost, see `event_loops`

        self.arrived = asyncio.Event()
        self.changes = Changes()

    def put(self, changes: Changes) -> None:
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
        mailbox = self._mailbox = _Mailbox()

        def put(changes: Changes) -> None:
            loop.call_soon_threadsafe(mailbox.put, changes)

        notifier.subscribe("change", put, patterns)
        self._close = weakref.finalize(self, notifier.unsubscribe, put)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Changes:
        return await self._mailbox.take()

    async def aclose(self) -> None:
        """Unsubscribe; so does dropping the iterator."""
        self._close()
