"""A WSGI application whose ``/metrics`` answers for every worker, as docs/metrics.md has it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from dynaconf import Dynaconf, Validator
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

from dynaconf_k8s_reload.prometheus import instrument

settings: Any = Dynaconf(
    loaders=["dynaconf_k8s_reload.loader"],
    validators=[Validator("NUMBER", lt=100)],
    k8s_restart_keys=["DATABASE"],
)
instrument(settings)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the metrics of all workers, or with the process and the number it serves."""
    if environ["PATH_INFO"] == "/metrics":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [generate_latest(registry)]
    number = settings.NUMBER
    time.sleep(0.005)  # so that no worker can take every request
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "number": number}).encode()]
