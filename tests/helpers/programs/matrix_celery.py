"""Celery's side of `matrix`: a broker of files, one task, and a client that keeps calling it."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import matrix  # type: ignore[import-not-found] # reason: it lies beside this program
from celery import Celery

ROOT = os.environ["BROKER"]

app: Any = Celery("matrix", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": f"{ROOT}/queue",
        "data_folder_out": f"{ROOT}/queue",
        "control_folder": f"{ROOT}/control",
    },
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="call")  # type: ignore[untyped-decorator] # reason: Celery ships no types
def call(called: float) -> None:
    """Leave an answer."""
    began = time.monotonic()
    line = json.dumps({**matrix.answer(), "began": began, "called": called}) + "\n"
    with open(os.environ["RESULTS"], "a", encoding="ascii") as file:
        file.write(line)


def main() -> None:
    """Call until ended."""
    while True:
        call.delay(time.monotonic())
        time.sleep(0.02)  # the pace at which tasks are sent


if __name__ == "__main__":
    main()
