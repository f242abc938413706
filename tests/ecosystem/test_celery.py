"""Celery: each task within one generation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ten_keys
from applications import PROGRAMS
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

pytest.importorskip("celery", reason="Celery is not installed")

TASKS = 10_000
SWAPS = 200


@pytest.mark.heavy
@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_no_task_is_mixed_or_fails(volume: AtomicWriter, tmp_path: Path, pool: str) -> None:
    """10,000 tasks read ten keys twice each over 200 swaps; unpinned reads do get mixed."""
    volume.write(ten_keys.content(0))
    variables = {
        **os.environ,
        "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)]),
        "PYTHONPATH": os.pathsep.join([str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")]),
    }
    seen, log = tmp_path / "seen", tmp_path / "log"

    def done() -> int:
        time.sleep(0.01)  # the worker is to have the processor
        return seen.read_bytes().count(b"\n")

    with seen.open("w") as output, log.open("w") as errors:
        worker = subprocess.Popen(
            [sys.executable, PROGRAMS / "pinned_celery.py", pool],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            text=True,
        )
        try:
            assert worker.stdin is not None
            for number in range(1, SWAPS + 1):
                print(TASKS // SWAPS, file=worker.stdin, flush=True)
                enough = (number - 1) * TASKS // SWAPS  # those of the round before
                eventually(lambda n=enough: done() >= n, 60, log.read_text)  # type: ignore[misc] # reason: mypy knows no lambda with a default
                volume.write(ten_keys.content(number))
            eventually(lambda: done() == TASKS, 60, log.read_text)
            worker.communicate(timeout=60)
        finally:
            worker.kill()
            worker.wait(60)
    answers = [json.loads(line) for line in seen.read_text().splitlines()]
    assert (worker.returncode, len(answers)) == (0, TASKS), log.read_text()
    assert [answer for answer in answers if answer["mixed"]] == []
    mixed = sum(answer["live_mixed"] for answer in answers)
    assert mixed
    assert len({answer["number"] for answer in answers}) > SWAPS / 2
    assert "Traceback" not in log.read_text()
    print(f"{len(answers)} tasks, {SWAPS} swaps, none failed, none mixed; {mixed} would have been")
