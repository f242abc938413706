"""A long-running job that works in rounds, at a pace that its ConfigMap sets."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from dynaconf import Dynaconf, Validator

from dynaconf_k8s_reload import get_reloader

settings = Dynaconf(
    envvar_prefix="WORKER",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[os.environ.get("CONFIG_DIR", "/config")],
    validators=[
        Validator("PACE", must_exist=True, is_type_of=(int, float), gt=0),
        Validator("BATCH", must_exist=True, is_type_of=int, gte=1),
    ],
)


LOOK_EVERY = 1.0  # seconds: a signal that comes just before a wait would be handled after it


class Worker:
    """Starts a round every `PACE` seconds, each with a batch of `BATCH`."""

    def __init__(self) -> None:
        self.stopping = False
        self._wake = threading.Event()

    def wake(self, _: Any) -> None:
        """End the wait for the next round, to look again when it is due."""
        self._wake.set()

    def stop(self, *_: Any) -> None:
        """Finish the round that is under way, and start no other; a signal handler."""
        self.stopping = True  # and nothing else: the interrupted code may hold the Event's lock

    def run(self) -> int:
        """Work until told to stop; give the number of rounds."""
        rounds = 0
        while not self.stopping:
            started = time.monotonic()
            rounds += 1
            work(rounds)
            self._wait_until_due(started)
        return rounds

    def _wait_until_due(self, started: float) -> None:
        while not self.stopping:
            left = started + settings.PACE - time.monotonic()  # the pace may be another by now
            if left <= 0:
                break
            self._wake.wait(min(left, LOOK_EVERY))
            self._wake.clear()


def work(number: int) -> None:
    """Do one round; what it reads more than once comes from one generation."""
    config = get_reloader(settings).snapshot()
    print(f"round {number}: {config.BATCH} items, every {config.PACE:g} s", flush=True)


def main() -> None:
    """Run until SIGTERM, which Kubernetes sends, or Ctrl-C."""
    worker = Worker()
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    get_reloader(settings).on_change("PACE")(worker.wake)
    print(f"stopped after {worker.run()} rounds", flush=True)


if __name__ == "__main__":
    main()
