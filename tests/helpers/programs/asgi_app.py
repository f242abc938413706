"""A Starlette application on plain dynaconf settings, which follows changes on its event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from dynaconf import Dynaconf
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dynaconf_k8s_reload import get_reloader

settings: Any = Dynaconf(loaders=["dynaconf_k8s_reload.loader"])
reloader = get_reloader(settings)
seen: list[str] = []
checking = {"now": False}
answered = 0


@reloader.on_validate
def check(candidate: Any, changes: Any) -> None:
    """Take as long as so many requests as the candidate says, in the watching thread."""
    checking["now"] = True
    enough = answered + candidate.get("REQUESTS", 0)
    deadline = time.monotonic() + 60
    while answered < enough and time.monotonic() < deadline:
        time.sleep(0.001)  # the answers are given in another thread, and tell nobody
    checking["now"] = False


async def follow() -> None:
    """Keep the names of what changed."""
    async for changes in reloader.changes():
        seen.extend(changes)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Follow changes as long as the application runs."""
    task = asyncio.create_task(follow())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def answer(_: Request) -> JSONResponse:
    """Answer with what one request saw, with a pause in which a swap may come."""
    global answered  # noqa: PLW0603 -- because the check, in another thread, waits for it
    snapshot = reloader.snapshot()
    first = snapshot.NUMBER
    await asyncio.sleep(0.001)
    response = JSONResponse(
        {
            "pid": os.getpid(),
            "one_generation": [first, snapshot.TWIN, snapshot.NUMBER],
            "number": settings.NUMBER,
            "extra": settings.get("EXTRA"),
            "variable": os.environ.get("EXTRA"),
            "seen": seen,
            "checking": checking["now"],
        }
    )
    answered += 1
    return response


app = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
