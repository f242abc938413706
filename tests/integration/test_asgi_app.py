"""What `dynaconf_k8s_reload.asgi` has for every ASGI application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest

from dynaconf_k8s_reload import ConfigError, get_reloader
from dynaconf_k8s_reload.asgi import PinMiddleware, status_app
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

Message = MutableMapping[str, Any]


def send(app: Any, kind: str = "http", **scope: Any) -> list[Message]:
    """Send one request; give the messages of the answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def keep(message: Message) -> None:
        sent.append(message)

    asyncio.run(app({"type": kind, "method": "GET", "path": "/", **scope}, receive, keep))
    return sent


async def nothing(*_: object) -> None:
    """Be an ASGI application that answers nothing."""


def get(app: Any, path: str, **scope: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    start, body = send(app, path=path, **scope)
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    return start["status"], dict(start["headers"]), body["body"]


@pytest.fixture
def settings(volume: AtomicWriter) -> Any:
    """Settings with a restart key, that reload only when told to."""
    volume.write({"MYAPP_POOL": "1"})
    return make_settings(
        volume.directory,
        k8s_watch=False,
        k8s_restart_503=True,
        k8s_restart_keys=["POOL"],
    )


def test_the_status_is_served(settings: Any) -> None:
    """At the path of the mount, as JSON, not to be stored, with its length."""
    code, headers, body = get(status_app(settings), "/")
    assert code == 200
    assert json.loads(body) == get_reloader(settings).status().as_dict()
    assert headers == {
        b"content-type": b"application/json",
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
    }


def test_head_is_answered_without_a_body(settings: Any) -> None:
    """The headers are those of GET."""
    app = status_app(settings)
    code, headers, body = get(app, "/live", method="HEAD")
    assert (code, body) == (200, b"")
    assert headers.keys() == get(app, "/live")[1].keys()


@pytest.mark.parametrize(
    ("root", "prefix"),
    [("", ""), ("/-/config", "/-/config"), ("/-/config", "")],
    ids=["stripped", "as specified", "root named, path stripped"],
)
def test_live_and_ready_stand_below_the_status(
    volume: AtomicWriter, settings: Any, root: str, prefix: str
) -> None:
    """A required restart has a process restarted, and serves until then; frameworks differ in
    what they make of the path that they mount it at.
    """
    app = status_app(settings)

    def codes() -> list[int]:
        paths = [f"{prefix}{each}" for each in ("", "/", "/live", "/live/", "/ready")]
        return [get(app, path, root_path=root)[0] for path in paths]

    assert codes() == [200] * 5
    volume.set("MYAPP_POOL", "2")
    assert get_reloader(settings).reload().outcome == "applied"
    assert codes() == [503, 503, 503, 503, 200]


def test_a_refused_update_turns_nothing_red(volume: AtomicWriter, settings: Any) -> None:
    """A pod that restarts into what is refused would not come up; the answer says so."""
    app = status_app(settings)
    volume.set("MYAPP_POOL", "@int no number")
    assert get_reloader(settings).reload().outcome == "rejected"
    for path in ("/", "/live", "/ready"):
        code, _, body = get(app, path)
        assert (code, json.loads(body)["rejected"]) == (200, 1)
        assert b"no number" not in body


def test_a_dead_watch_is_not_live_and_still_ready(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves its last good generation until it is restarted."""
    volume.write({})
    app = status_app(make_settings(volume.directory))
    assert [get(app, path)[0] for path in ("/", "/live", "/ready")] == [200, 200, 200]
    monkeypatch.setattr("dynaconf_k8s_reload._reload.reloader.WATCHER.mode", lambda *_: "off")
    assert [get(app, path)[0] for path in ("/", "/live", "/ready")] == [503, 503, 200]


def test_what_else_is_asked_is_refused(settings: Any) -> None:
    """Other paths, other methods, a WebSocket; a server of its own would need an application."""
    app = status_app(settings)
    assert get(app, "/other")[0] == 404
    code, headers, _ = get(app, "/", method="POST")
    assert (code, headers[b"allow"]) == (405, b"GET, HEAD")
    assert send(app, "websocket") == [{"type": "websocket.close", "code": 1008}]
    with pytest.raises(RuntimeError, match="mount it in an application"):
        send(app, "lifespan")


@pytest.mark.parametrize("make", [status_app, lambda settings: PinMiddleware(nothing, settings)])
def test_settings_without_the_loader_are_refused(make: Callable[[Any], object]) -> None:
    """When the application is made, not at its first request."""
    with pytest.raises(ConfigError, match="not loaded by dynaconf-k8s-reload"):
        make(make_settings(loaders=["dynaconf.loaders.env_loader"]))


@pytest.mark.parametrize(
    ("kind", "pinned"), [("http", True), ("websocket", True), ("lifespan", False)]
)
def test_requests_and_connections_are_pinned(
    volume: AtomicWriter, settings: Any, kind: str, pinned: bool
) -> None:
    """Each to the generation of its beginning; the lifespan, which lasts, is not."""
    reloader = get_reloader(settings)
    seen: list[int] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append(reloader.snapshot().POOL)
        volume.set("MYAPP_POOL", str(seen[-1] + 1))
        await asyncio.to_thread(reloader.reload)
        seen.append(reloader.snapshot().POOL)
        await asyncio.sleep(0)
        seen.append(await asyncio.to_thread(lambda: reloader.snapshot().POOL))

    middleware = PinMiddleware(app, settings)
    send(middleware, kind)
    assert seen == ([1, 1, 1] if pinned else [1, 2, 2])
    send(middleware, kind)
    assert seen[3:] == ([2, 2, 2] if pinned else [2, 3, 3])
