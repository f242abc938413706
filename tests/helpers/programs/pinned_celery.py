"""A Celery worker each of whose tasks is pinned; each line of its input sends so many of them.

The argument is the pool: ``threads`` or ``prefork``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from celery import Celery
from celery.worker import state
from dynaconf import Dynaconf

import ten_keys
from dynaconf_k8s_reload import get_reloader

settings: Any = Dynaconf(envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"])
reloader = get_reloader(settings)
app = Celery("pinned", broker="memory://")
app.conf.update(
    broker_transport_options={"polling_interval": 0.01},
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
)


@app.task  # type: ignore[untyped-decorator, unused-ignore] # reason: Celery is untyped
@reloader.pin()
def read() -> None:
    """Write down whether the reads of this task agree."""
    seen = ten_keys.read_twice(
        reloader,
        settings,
        lambda: time.sleep(0.002),  # for a swap to fall between the two reads
    )
    os.write(1, (json.dumps(seen) + "\n").encode())


def send() -> None:
    """Send as many tasks as each line says, and end the worker at the end of the input."""
    # Not `sys.stdin` itself, which a child of billiard's closes, and whose lock is held meanwhile.
    with os.fdopen(os.dup(sys.stdin.fileno())) as lines:
        for line in lines:
            for _ in range(int(line)):
                read.delay()
    # Not `worker.stop()`, which reads results in this thread while the main one reads them as well,
    # and then waits for what that has taken.
    state.should_stop = 0  # with this status, as Celery's own handler of SIGTERM has it


worker = app.Worker(pool=sys.argv[1], concurrency=4, loglevel="WARNING", quiet=True)
threading.Thread(target=send, daemon=True).start()
worker.start()
