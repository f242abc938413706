"""What the pin of a request costs in Flask, which has to be installed, beyond the same without it.

    python benchmarks/pinned.py

The two take turns, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from dynaconf import FlaskDynaconf
from flask import Flask
from subjects import PREFIX, content, mounted
from werkzeug.test import EnvironBuilder

from dynaconf_k8s_reload import Reloader
from dynaconf_k8s_reload.flask import K8sReload

REQUESTS = 5_000
WAYS = {"a request": "/", "one that takes two snapshots": "/snapshots"}


def make_app(mount: str) -> Flask:
    """Make an app that pins its requests."""
    app = Flask(__name__)
    FlaskDynaconf(
        app, envvar_prefix=PREFIX, loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[mount]
    )
    K8sReload(app, pin=True)
    reloader: Reloader = app.extensions["k8s_reload"]

    @app.get("/")
    def index() -> str:
        return "ok"

    @app.get("/snapshots")
    def snapshots() -> str:
        return str(reloader.snapshot().KEY_0 == reloader.snapshot().KEY_0)

    return app


def timed(serve: Callable[..., Any], environ: Mapping[str, Any]) -> float:
    """Serve one request as a server does, and give the seconds it took."""
    environ = dict(environ)
    started = time.perf_counter()
    body = serve(environ, lambda *_: None)
    for _ in body:
        continue
    body.close()
    return time.perf_counter() - started


def main() -> None:
    """Measure each way."""
    with mounted(content(20, 0)) as writer, contextlib.ExitStack() as stack:
        app = make_app(str(writer.directory))
        stack.callback(app.extensions["k8s_reload"].stop, restore=True)
        pinned, plain = app.wsgi_app, Flask.wsgi_app.__get__(app)
        for name, path in WAYS.items():
            environ = EnvironBuilder(path).get_environ()
            pairs = [(timed(plain, environ), timed(pinned, environ)) for _ in range(REQUESTS)]
            without, within = map(sorted, zip(*pairs, strict=True))
            cost = [(within[at] - without[at]) * 1e6 for at in (0, REQUESTS // 2)]
            print(f"{name}: {without[0] * 1e6:.1f} us, with the pin", end=" ")
            print(f"{cost[0]:.2f} us more at best, {cost[1]:.2f} us in the middle")


if __name__ == "__main__":
    main()
