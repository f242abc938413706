"""One generation within one context: what `Reloader.pin` gives."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

from dynaconf.base import Settings

from .._model.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])
Item = TypeVar("Item")


# What a context is pinned to: a reloader's key, its snapshot, and the pin around this one.
# A plain tuple, since each request makes one.
_Pinned: TypeAlias = "tuple[int, Settings, _Pinned] | None"

# One variable for all reloaders: a context never lets go of a variable that was set in it.
_pinned: ContextVar[_Pinned] = ContextVar("dynaconf_k8s_reload", default=None)


def pinned(key: int) -> Settings | None:
    """Give the snapshot of a reloader that this context is pinned to, if it is."""
    held = _pinned.get()
    while held is not None:
        if held[0] == key:
            return held[1]
        held = held[2]
    return None


class Pin:
    """Keeps `Reloader.snapshot` at one generation, within a ``with`` block or a function.

    Args:
        key: names the reloader.
        snapshot: its `Reloader.snapshot`, which within a pin gives that pin's.

    It holds no state of its own, so one may be entered by many threads and tasks, and again within
    itself: the outermost decides.
    """

    __slots__ = ("_key", "_snapshot")

    def __init__(self, key: int, snapshot: Callable[[], Settings]) -> None:
        self._key = key
        self._snapshot = snapshot

    def __enter__(self) -> Settings:
        snapshot = self._snapshot()
        _pinned.set((self._key, snapshot, _pinned.get()))
        return snapshot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not by a token: a framework may leave the block in a copy of the context it entered in.
        held = _pinned.get()
        if held is not None:
            _pinned.set(held[2])

    def __call__(self, function: Function) -> Function:
        """Pin each call of a function, or of a coroutine function.

        Raises:
            ConfigError: it is a generator, which runs in the context of whoever asks for an item.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigError(
                f"pin() cannot decorate the generator {function.__qualname__}; write "
                "`with reloader.pin():` around the loop over its items"
            )
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def wait(*args: Any, **keywords: Any) -> Any:
                with self:
                    return await function(*args, **keywords)

            return cast("Function", wait)

        @wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            with self:
                return function(*args, **keywords)

        return cast("Function", call)


class keep(Iterator[Item]):  # noqa: N801 -- because it is called as `keep_async` is
    """Give the items of an answer that is sent later, each made with what is pinned now.

    A class, since most answers have one item: a generator within a wrapper costs more than the pin.
    """

    __slots__ = ("_answer", "_held", "_next")

    def __init__(self, items: Iterable[Item]) -> None:
        self._held = _pinned.get()
        self._answer = items
        self._next = iter(items).__next__

    def __next__(self) -> Item:
        token = _pinned.set(self._held)
        try:
            return self._next()
        finally:
            self._held = _pinned.get()  # making the item may have entered a block, or left one
            _pinned.reset(token)

    def close(self) -> None:
        """Close the answer, if it can be, with what is pinned: its request ends only then."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            token = _pinned.set(self._held)
            try:
                close()
            finally:
                _pinned.reset(token)


def keep_call(function: Callable[[], object]) -> Callable[[], None]:
    """Like `keep`, for a function that is called once the answer is sent, or given up."""
    held = _pinned.get()

    def call() -> None:
        token = _pinned.set(held)
        try:
            function()
        finally:
            _pinned.reset(token)

    return call


def keep_async(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """Like `keep`, for an answer that is made on an event loop."""
    held = _pinned.get()

    async def give() -> AsyncGenerator[Item, None]:
        nonlocal held
        try:
            while True:
                token = _pinned.set(held)
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                finally:
                    held = _pinned.get()
                    _pinned.reset(token)
                yield item
        finally:  # the reader may have stopped before the end
            token = _pinned.set(held)
            try:
                await items.aclose()
            finally:
                _pinned.reset(token)

    return give()
