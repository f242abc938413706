"""One generation within one context: what `Reloader.pin` gives."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial, wraps
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, TypeVar, cast

from dynaconf.base import Settings

from .._model.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])
Item = TypeVar("Item")


class _Pinned(NamedTuple):
    """The snapshots of a context, by reloader, and what was pinned around it."""

    snapshots: Mapping[int, Settings]
    around: _Pinned | None


NOTHING = _Pinned(MappingProxyType({}), None)

# One variable for all reloaders: a context never lets go of a variable that was set in it.
_pinned: ContextVar[_Pinned] = ContextVar("dynaconf_k8s_reload", default=NOTHING)


def pinned(key: int) -> Settings | None:
    """Give the snapshot of a reloader that this context is pinned to, if it is."""
    return _pinned.get().snapshots.get(key)


class Pin:
    """Keeps `Reloader.snapshot` at one generation, within a ``with`` block or a function.

    Args:
        key: names the reloader.
        snapshot: gives the snapshot of the generation that is being served.

    It holds no state of its own, so one may be entered by many threads and tasks, and again within
    itself: the outermost decides.
    """

    def __init__(self, key: int, snapshot: Callable[[], Settings]) -> None:
        self._key = key
        self._snapshot = snapshot

    def __enter__(self) -> Settings:
        around = _pinned.get()
        snapshot = around.snapshots.get(self._key)
        if snapshot is not None:
            _pinned.set(_Pinned(around.snapshots, around))
            return snapshot
        snapshot = self._snapshot()
        _pinned.set(_Pinned({**around.snapshots, self._key: snapshot}, around))
        return snapshot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Not by a token: a framework may leave the block in a copy of the context it entered in.
        around = _pinned.get().around
        if around is not None:
            _pinned.set(around)

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

    __slots__ = ("_answer", "_held", "_items")

    def __init__(self, items: Iterable[Item]) -> None:
        self._held = _pinned.get()
        self._answer = items
        self._items = iter(items)

    def __next__(self) -> Item:
        token = _pinned.set(self._held)
        try:
            return next(self._items)
        finally:
            self._held = _pinned.get()  # it may be within a block of its own, or have left one
            _pinned.reset(token)

    def close(self) -> None:
        """Close the answer, if it can be, with what is pinned: its request ends only then."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            _call_with(self._held, close)


def keep_call(function: Callable[[], object]) -> Callable[[], None]:
    """As `keep`, for a function that is called once the answer is sent, or given up."""
    return partial(_call_with, _pinned.get(), function)


def _call_with(held: _Pinned, function: Callable[[], object]) -> None:
    token = _pinned.set(held)
    try:
        function()
    finally:
        _pinned.reset(token)


def keep_async(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """As `keep`, for an answer that is made on an event loop."""
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
        finally:  # nobody may read on
            token = _pinned.set(held)
            try:
                await items.aclose()
            finally:
                _pinned.reset(token)

    return give()
