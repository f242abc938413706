"""The project under a test's control: it evaluates each line of its input and prints the result.

The argument is statements to run first, before Django is imported.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from importlib import import_module
from typing import Any
from wsgiref.util import setup_testing_defaults


class Records(logging.Handler):
    """Keeps what is logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def main() -> None:
    """Run until the input ends."""
    names = globals()
    exec(sys.argv[1], names)
    # First of all, and with it Django's modules, which hold what `settings` are until they load.
    application = import_module("project.wsgi").application

    import django.conf
    from django.http import request as early  # it holds Django's original settings

    from dynaconf_k8s_reload import get_reloader
    from dynaconf_k8s_reload._dynaconf.django import current_settings
    from dynaconf_k8s_reload.django.signals import settings_reloaded

    records = Records()
    for name in ("dynaconf_k8s_reload", "django"):
        logging.getLogger(name).handlers = [records]
        logging.getLogger(name).propagate = False
    settings = sys.modules["django.conf"].settings
    names.update(
        application=application,
        django=django,
        early=early.settings,
        logged=records.lines,
        module=sys.modules[os.environ["DJANGO_SETTINGS_MODULE"]],
        settings=settings,
        settings_reloaded=settings_reloaded,
    )
    try:
        names["reloader"] = get_reloader(current_settings())
    except Exception as error:
        names["reloader"] = error
    for line in sys.stdin:
        result = None
        if line.startswith("do "):
            exec(json.loads(line[3:]), names)
        else:
            result = eval(line, names)
        print(json.dumps(result), flush=True)


def override_settings(**settings: Any) -> Any:
    """Override settings; Django's module for that also adds receivers which no server has."""
    from django.test import utils

    return utils.override_settings(**settings)


def ask(path: str, host: str = "testserver", method: str = "GET", **headers: str) -> Any:
    """Send one request through WSGI; give status, body and cookies."""
    application = globals()["application"]
    environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_HOST": host, "REQUEST_METHOD": method}
    environ |= headers
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO()
    answer: list[Any] = []
    body = application(environ, lambda status, sent: answer.extend([status, sent]))
    text = b"".join(body).decode()
    body.close()
    cookies = [value.partition("=")[0].strip() for name, value in answer[1] if name == "Set-Cookie"]
    return [int(answer[0][:3]), text, cookies]


def busy(path: str, threads: int = 4) -> Any:
    """Ask in threads until the function that is returned is called; it gives the statuses."""
    done = threading.Event()
    statuses: dict[int, int] = {}

    def run() -> None:
        while not done.is_set():
            status = ask(path)[0]
            statuses[status] = statuses.get(status, 0) + 1

    started = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
    for thread in started:
        thread.start()

    def finish() -> dict[int, int]:
        done.set()
        for thread in started:
            thread.join()
        return statuses

    return finish


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    main()
