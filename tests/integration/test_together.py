"""Changes that belong together, and processes that must not change together."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from applications import PROGRAMS
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings

PROCESSES = 50
JITTER = 5.0
LATE = 3.0  # seconds that a busy machine may need


def test_a_configmap_and_its_secret_are_one_change(volume: AtomicWriter, tmp_path: Path) -> None:
    """Swapped one after the other, they become one generation; a mixture is never seen."""
    secret = AtomicWriter(tmp_path / "secret")
    volume.write({"USER_NAME": "one"})
    secret.write({"KEY": "one"})
    settings = make_settings(
        volume.directory, {"path": str(secret.directory), "secret": True}, k8s_settle=2
    )
    reloader = get_reloader(settings)
    seen: set[tuple[str, str]] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.001):
            snapshot = reloader.snapshot()
            seen.add((snapshot["USER_NAME"], snapshot["KEY"]))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        volume.write({"USER_NAME": "two"})
        threading.Event().wait(0.2)  # the kubelet's own gap between the two
        secret.write({"KEY": "two"})
        eventually(lambda: settings.KEY == "two")
        assert reloader.status().generation == 2
    finally:
        ended.set()
        reader.join()
    assert seen <= {("one", "one"), ("two", "two")}


def test_reload_waits_for_nothing(volume: AtomicWriter) -> None:
    """``reload()`` applies at once what the watch would still wait for."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_settle=30, k8s_jitter=600)
    reloader = get_reloader(settings)
    volume.write({"A": "2"})
    assert reloader.reload().outcome == "applied"
    assert settings.A == 2


def test_a_change_that_is_taken_back_is_none(volume: AtomicWriter) -> None:
    """What is swapped back before it was applied makes no generation, and the next one follows."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_settle=1.5)
    reloader = get_reloader(settings)
    before = reloader.status().mounts[0].generation_dir
    volume.write({"A": "2"})
    volume.write({"A": "1"})
    eventually(lambda: reloader.status().mounts[0].generation_dir != before)
    assert reloader.status().generation == 1
    volume.write({"A": "3"})
    eventually(lambda: settings.A == 3)
    assert reloader.status().generation == 2


@pytest.mark.heavy
def test_processes_spread_evenly(volume: AtomicWriter) -> None:
    """Forked alike and seeded alike, they apply one swap evenly over the time; none is left out."""
    volume.write({"A": "1"})
    with subprocess.Popen(
        [sys.executable, PROGRAMS / "jitter.py", volume.directory, str(PROCESSES), str(JITTER)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")]),
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        swapped = time.monotonic()
        volume.write({"A": "2"})
        delays = sorted(at - swapped for at in json.loads(process.stdout.readline()))
    assert process.returncode == 0
    assert len(delays) == PROCESSES
    assert delays[0] >= 0
    assert delays[-1] <= JITTER + LATE
    # Kolmogorov and Smirnov: even times are farther off than this once in ten thousand runs.
    off = max(
        max((index + 1) / PROCESSES - delay / JITTER, delay / JITTER - index / PROCESSES)
        for index, delay in enumerate(delays)
    )
    print(f"{PROCESSES} processes from {delays[0]:.2f} s to {delays[-1]:.2f} s, off by {off:.3f}")
    assert off < math.sqrt(math.log(2 / 0.0001) / (2 * PROCESSES))
