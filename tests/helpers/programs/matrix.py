"""An application for every kind of server: an answer tells the process, and what it serves.

Each answer also starts a program, and a job that must run once. With PLAIN in the environment it is
plain dynaconf's, to compare with.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from dynaconf import Dynaconf

PLAIN = "PLAIN" in os.environ

settings: Any = Dynaconf(**({} if PLAIN else {"loaders": ["dynaconf_k8s_reload.loader"]}))
settings.get("NUMBER")  # where the application is loaded before the fork, so are its settings


def job(name: str) -> None:
    """Leave a job's name, once."""
    with open(os.environ["JOBS"], "a", encoding="ascii") as file:
        file.write(f"{name}\n")


def answer() -> dict[str, Any]:
    """Read the settings, have a job ready to run, and start a program."""
    number = settings.get("NUMBER", 0)
    variable = int(os.environ.get("NUMBER", "0"))
    read = time.monotonic()
    threading.Thread(target=job, args=(uuid.uuid4().hex,)).start()
    subprocess.run(["/bin/true"], check=True)
    return {"pid": os.getpid(), "number": number, "variable": variable, "read": read}


def health() -> dict[str, Any]:
    """Tell what the process says of itself."""
    from dynaconf_k8s_reload import get_reloader

    status = get_reloader(settings).status()
    return {"pid": os.getpid(), "healthy": status.healthy, "problems": status.problems}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer by WSGI."""
    body = json.dumps(health() if environ["PATH_INFO"] == "/health" else answer()).encode()
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer by ASGI."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = json.dumps(health() if scope["path"] == "/health" else answer()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def work(results: str, seconds: float) -> None:
    """Answer again and again, into a file: a process that serves nobody."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        line = json.dumps({**answer(), "began": began}) + "\n"
        with open(results, "a", encoding="ascii") as file:
            file.write(line)
        time.sleep(0.02)  # a job takes a while, and is to leave others the processor
