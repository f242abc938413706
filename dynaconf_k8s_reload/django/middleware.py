"""`PinMiddleware`: each request within one generation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from .. import get_reloader
from .._dynaconf.django import current_settings
from .._reload.pin import keep, keep_async, keep_call

__all__ = ["PinMiddleware"]


class PinMiddleware:
    """Pins each request to the generation it begins in; put it first in ``MIDDLEWARE``.

    It serves synchronous and asynchronous views, under WSGI and ASGI. A streamed answer is pinned
    until it is closed.

    Raises:
        ConfigError: the settings are not loaded by the loader.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._pin = get_reloader(current_settings()).pin()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Give the response, or a coroutine that does."""
        if self._is_async:
            return self._wait(request, self._get_response)
        with self._pin:
            return _kept(self._get_response(request))

    async def _wait(self, request: Any, get_response: Callable[[Any], Awaitable[Any]]) -> Any:
        with self._pin:
            return _kept(await get_response(request))


def _kept(response: Any) -> Any:
    """Have what is streamed made with what is pinned now; a file is sent as it is."""
    if response.streaming and getattr(response, "file_to_stream", None) is None:
        keeper = keep_async if response.is_async else keep
        response.streaming_content = keeper(response.streaming_content)
        response.close = keep_call(response.close)
    return response
