"""Two workers, whose gauges go when they end."""

from typing import Any

from prometheus_client import multiprocess

workers = 2


def child_exit(_server: Any, worker: Any) -> None:
    """Forget a worker that has ended."""
    multiprocess.mark_process_dead(worker.pid)
