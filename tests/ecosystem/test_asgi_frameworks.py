"""Litestar and Quart: pinned requests and the status, with what every ASGI application has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dynaconf_k8s_reload import Reloader, get_reloader
from dynaconf_k8s_reload.asgi import PinMiddleware, status_app
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

httpx = pytest.importorskip("httpx", reason="httpx is not installed")

PATHS = ("/-/config", "/-/config/live", "/-/config/ready")


def litestar(settings: Any, view: Callable[[], Any]) -> Any:
    """Make a Litestar application: the status is a handler that is mounted."""
    pytest.importorskip("litestar", reason="Litestar is not installed")
    from litestar import Litestar, asgi, get
    from litestar.middleware import DefineMiddleware

    async def index() -> list[int]:
        seen: list[int] = await view()
        return seen

    return Litestar(
        [get("/")(index), asgi("/-/config", is_mount=True, copy_scope=False)(status_app(settings))],
        middleware=[DefineMiddleware(PinMiddleware, settings=settings)],
        logging_config=None,  # which would leave a thread
    )


def quart(settings: Any, view: Callable[[], Any]) -> Any:
    """Make a Quart application: its ASGI application is wrapped, the status is in front of it."""
    pytest.importorskip("quart", reason="Quart is not installed")
    from quart import Quart

    app = Quart("pinned")
    app.add_url_rule("/", "index", view)
    app.asgi_app = PinMiddleware(app.asgi_app, settings)
    status = status_app(settings)

    async def either(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/-/config"):
            await status({**scope, "root_path": "/-/config"}, receive, send)
        else:
            await app(scope, receive, send)

    return either


@pytest.mark.parametrize("make", [litestar, quart])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_requests_are_pinned_and_the_status_is_served(
    volume: AtomicWriter, make: Callable[..., Any]
) -> None:
    """A request that a swap falls into sees one generation; each probe gets its answer."""
    volume.write({"MYAPP_NUMBER": "1"})
    settings = make_settings(
        volume.directory, k8s_watch=False, k8s_restart_503=True, k8s_restart_keys=["OTHER"]
    )
    reloader: Reloader = get_reloader(settings)

    async def view() -> list[int]:
        before = reloader.snapshot().NUMBER
        volume.set("MYAPP_NUMBER", str(before + 1))
        await asyncio.to_thread(reloader.reload)
        return [before, reloader.snapshot().NUMBER]

    async def main() -> list[Any]:
        transport = httpx.ASGITransport(app=make(settings, view))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            seen = [(await client.get("/")).json() for _ in range(2)]
            codes = [(await client.get(path)).status_code for path in PATHS]
            volume.set("MYAPP_OTHER", "1")
            reloader.reload()
            later = [(await client.get(path)).status_code for path in PATHS]
            return [seen, codes, later]

    assert asyncio.run(main()) == [[[1, 1], [2, 2]], [200, 200, 200], [503, 503, 200]]
