"""A Starlette application each of whose requests is pinned."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from dynaconf import Dynaconf
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import ten_keys
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.asgi import PinMiddleware

settings: Any = Dynaconf(envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"])
reloader = get_reloader(settings)


async def answer(_: Request) -> JSONResponse:
    """Answer whether the reads of this request agree."""
    seen = await ten_keys.read_twice_later(reloader, settings, lambda: asyncio.sleep(0.002))
    return JSONResponse({"pid": os.getpid(), **seen})


app = Starlette(routes=[Route("/", answer)])
app.add_middleware(PinMiddleware, settings=settings)
