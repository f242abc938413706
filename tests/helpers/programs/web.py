"""A WSGI application whose answer tells which worker gave it, and the number that it serves."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from dynaconf import Dynaconf

settings: Any = Dynaconf(loaders=["dynaconf_k8s_reload.loader"], k8s_resync=3600)
settings.get("NUMBER")  # with --preload it is loaded in the master


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the process, the setting and the variable."""
    number = settings.NUMBER
    time.sleep(0.005)  # so that no worker can take every request
    answer = {"pid": os.getpid(), "number": number, "variable": int(os.environ["NUMBER"])}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
