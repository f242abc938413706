"""For FastAPI, Starlette, Litestar, Quart and every other ASGI application; it imports none."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from . import get_reloader
from ._reload.probe import Question, probe

__all__ = ["PinMiddleware", "status_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]  # each framework has types of its own for these

QUESTIONS: dict[str, Question] = {"": "whole", "live": "live", "ready": "ready"}  # by path
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1


class PinMiddleware:
    """Pins each HTTP request and each WebSocket connection to the generation it begins in.

    Args:
        app: the ASGI application; it gets the lifespan unpinned.
        settings: the application's settings.

    Raises:
        ConfigError: the loader is not in use.
    """

    def __init__(self, app: App, settings: Any) -> None:
        self.app = app
        self._pin = get_reloader(settings).pin()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            with self._pin:
                await self.app(scope, receive, send)


def status_app(settings: Any) -> App:
    """Make an ASGI application for probes, to mount at a path such as ``"/-/config"``.

    Below that path, ``/live`` and ``/ready`` answer a liveness and a readiness probe; the path
    itself answers as ``/live`` does. The body is ``Status.as_dict()`` and shows no value.

    Args:
        settings: the application's settings.

    Raises:
        ConfigError: the loader is not in use.
    """
    reloader = get_reloader(settings)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 -- because Litestar wants this name
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["type"] != "http":
            raise RuntimeError("status_app answers HTTP; mount it in an application")
        question = QUESTIONS.get(_below(scope))
        if question is None:
            await _send(send, scope, HTTPStatus.NOT_FOUND, {"detail": "not found"})
        elif scope["method"] not in {"GET", "HEAD"}:
            code = HTTPStatus.METHOD_NOT_ALLOWED
            await _send(
                send, scope, code, {"detail": "method not allowed"}, (b"allow", b"GET, HEAD")
            )
        else:
            await _send(send, scope, *probe(reloader, question))

    return answer


def _below(scope: Scope) -> str:
    """Give the path below the one that the application is mounted at.

    By the specification ``path`` includes ``root_path``; some frameworks take it off.
    """
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root).strip("/")


async def _send(
    send: Send, scope: Scope, code: int, data: object, *headers: tuple[bytes, bytes]
) -> None:
    body = json.dumps(data).encode()
    await send(
        {
            "type": "http.response.start",
            "status": int(code),
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    is_asked_for = scope["method"] != "HEAD"
    await send({"type": "http.response.body", "body": body if is_asked_for else b""})
