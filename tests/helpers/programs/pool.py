"""A pool of processes on a mount: print what its workers see, write the mount, and again.

Arguments: the mount, and the start method, or `default`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time

from dynaconf import Dynaconf

from dynaconf_k8s_reload.testing import AtomicWriter

settings = Dynaconf(
    envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[os.environ["MOUNT"]]
)


def seen(_: int) -> tuple[int, str]:
    """Give the setting and the variable, as a worker has them."""
    return settings.NUMBER, os.environ["MYAPP_NUMBER"]


def follow() -> None:
    """Show what the workers see, until both the first and the second content have been."""
    method = sys.argv[1]
    context = multiprocessing.get_context(None if method == "default" else method)
    volume = AtomicWriter(os.environ["MOUNT"])
    with context.Pool(2) as pool:
        for number in (1, 2):
            volume.write({"MYAPP_NUMBER": str(number)})
            deadline = time.monotonic() + 20
            answers = set(pool.map(seen, range(20), chunksize=1))
            while answers != {(number, str(number))} and time.monotonic() < deadline:
                answers = set(pool.map(seen, range(20), chunksize=1))
            print(json.dumps(sorted(answers)))


if __name__ == "__main__":
    AtomicWriter(os.environ["MOUNT"]).write({"MYAPP_NUMBER": "0"})
    follow()
