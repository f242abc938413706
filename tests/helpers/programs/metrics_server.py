"""gunicorn's configuration for metrics_app.py, as docs/metrics.md has it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from prometheus_client import multiprocess

from dynaconf_k8s_reload.prometheus import instrument


def post_fork(server: Any, worker: Any) -> None:
    """With ``--preload`` the application was instrumented in the master: do so in the worker."""
    if server.cfg.preload_app:
        instrument(import_module("metrics_app").settings)


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that has ended."""
    multiprocess.mark_process_dead(worker.pid)
