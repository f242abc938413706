"""Views that see a swap happen in the middle of their request."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.conf import settings
from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter


def number() -> int:
    """Give the number of this request's generation."""
    return int(get_reloader(settings).snapshot().NUMBER)


def swap() -> None:
    """Publish the next number."""
    volume = AtomicWriter(json.loads(os.environ["MOUNTS"])[0])
    volume.set("DJANGO_NUMBER", str(settings.NUMBER + 1))
    assert get_reloader(settings).reload().outcome == "applied"


def plain(request: Any) -> JsonResponse:
    """Read before and after."""
    before = number()
    swap()
    return JsonResponse({"seen": [before, number()]})


async def awaited(request: Any) -> JsonResponse:
    """Read before and after, and in a thread."""
    before = number()
    await asyncio.to_thread(swap)
    return JsonResponse({"seen": [before, number(), await asyncio.to_thread(number)]})


def streamed(request: Any) -> StreamingHttpResponse:
    """Read before the answer begins, and while it is sent."""

    def lines(before: int) -> Iterator[str]:
        swap()
        yield f'{{"seen": [{before}, '
        swap()
        yield f"{number()}]}}"

    return StreamingHttpResponse(lines(number()))


async def streamed_later(request: Any) -> StreamingHttpResponse:
    """Do the same on the event loop."""

    async def lines(before: int) -> AsyncIterator[str]:
        await asyncio.to_thread(swap)
        yield f'{{"seen": [{before}, '
        await asyncio.to_thread(swap)
        yield f"{number()}]}}"

    return StreamingHttpResponse(lines(number()))


closed: list[int] = []


def given_up(request: Any) -> StreamingHttpResponse:
    """Note what is read when the answer is closed, be it in the middle."""

    def lines() -> Iterator[str]:
        try:
            yield f"{number()}"
            yield "more"
        finally:
            closed.append(number())

    return StreamingHttpResponse(lines())


def file(request: Any) -> FileResponse:
    """Send this file."""
    return FileResponse(open(__file__, "rb"))


urlpatterns = [
    path("plain", plain),
    path("awaited", awaited),
    path("streamed", streamed),
    path("streamed-later", streamed_later),
    path("given-up", given_up),
    path("file", file),
]
