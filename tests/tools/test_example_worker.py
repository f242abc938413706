"""The worker of the examples, in a process of its own, driven as Kubernetes would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import dynaconf_k8s_reload
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

HERE = Path(__file__).parents[2] / "examples" / "worker"
DATA = yaml.safe_load((HERE / "configmap.yaml").read_text())["data"]


class Worker:
    """The running example, and what it has printed."""

    def __init__(self, volume: AtomicWriter, output: Path) -> None:
        self.output = output
        root = str(Path(dynaconf_k8s_reload.__file__).parents[1])
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", HERE / "worker.py"],
                env={**os.environ, "CONFIG_DIR": str(volume.directory), "PYTHONPATH": root},
                stdout=file,
                stderr=file,
            )

    def rounds(self, text: str = "") -> int:
        """Count the rounds whose line has this text."""
        return len(re.findall(f"^round .*{re.escape(text)}", self.printed(), re.MULTILINE))

    def printed(self) -> str:
        return self.output.read_text()

    def eventually_rounds(self, number: int, text: str = "") -> None:
        eventually(lambda: self.rounds(text) >= number, seconds=30, else_show=self.printed)

    def end(self, number: signal.Signals) -> None:
        """It ends by itself, long before the next round, and says how many rounds there were."""
        self.process.send_signal(number)
        assert self.process.wait(20) == 0, self.printed()
        assert self.printed().splitlines()[-1] == f"stopped after {self.rounds()} rounds"


@pytest.fixture
def worker(volume: AtomicWriter, tmp_path: Path) -> Iterator[Worker]:
    """The worker, at the pace of its own ConfigMap."""
    volume.write(DATA)
    worker = Worker(volume, tmp_path / "output")
    try:
        worker.eventually_rounds(1, "10 items, every 60 s")
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


def test_it_changes_pace_in_the_middle_of_a_wait(worker: Worker, volume: AtomicWriter) -> None:
    """A new pace ends the long wait of the old one, and a round is of one generation."""
    volume.set("WORKER_PACE", "0.05")
    worker.eventually_rounds(5, "10 items, every 0.05 s")
    volume.write({"WORKER_PACE": "0.1", "WORKER_BATCH": "20"})
    worker.eventually_rounds(3, "20 items, every 0.1 s")
    worker.end(signal.SIGTERM)
    assert worker.rounds("20 items, every 0.05 s") == worker.rounds("10 items, every 0.1 s") == 0


def test_a_bad_pace_is_refused(worker: Worker, volume: AtomicWriter) -> None:
    """A pace of nothing is refused, and the worker goes on as before."""
    volume.set("WORKER_PACE", "0.1")
    worker.eventually_rounds(1, "every 0.1 s")
    volume.set("WORKER_PACE", "0")
    eventually(lambda: "a validator refuses PACE" in worker.printed(), seconds=30)
    worker.eventually_rounds(worker.rounds() + 3, "every 0.1 s")
    assert "every 0 s" not in worker.printed()
    worker.end(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_the_middle_of_a_wait(worker: Worker, number: signal.Signals) -> None:
    """A signal ends a wait of a minute within moments, with status 0 and no traceback."""
    worker.end(number)
    assert worker.rounds() == 1
    assert "Traceback" not in worker.printed()


def test_the_page_names_what_is_there() -> None:
    """The page's first line of output is that of the ConfigMap as it is."""
    text = f"round 1: {DATA['WORKER_BATCH']} items, every {DATA['WORKER_PACE']} s"
    assert text in (HERE / "README.md").read_text()
