"""A Celery worker for the cluster tests: one process that leads, and two that do its tasks.

    python pod_celery.py

It sends itself a task again and again, so that its processes are at work; its broker is in memory.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import Celery
from celery.signals import worker_ready
from dynaconf import Dynaconf

SEND_EVERY = 0.2  # seconds

settings: Any = Dynaconf(envvar_prefix="SHOP", loaders=["dynaconf_k8s_reload.loader"])
app = Celery("shop", broker="memory://")
app.conf.update(
    broker_transport_options={"polling_interval": 0.05},
    task_ignore_result=True,
    worker_enable_remote_control=False,
)


@app.task  # type: ignore[untyped-decorator, unused-ignore] # reason: Celery is untyped
def fill() -> int:
    """Do what a task does: read a setting."""
    return int(settings.POOL)


@worker_ready.connect  # type: ignore[untyped-decorator, unused-ignore] # reason: as above
def send(**_: object) -> None:
    """Send tasks for as long as the worker runs."""

    def go_on() -> None:
        pause = threading.Event()
        while not pause.wait(SEND_EVERY):
            fill.delay()

    threading.Thread(target=go_on, daemon=True).start()


if __name__ == "__main__":
    app.worker_main(["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"])
