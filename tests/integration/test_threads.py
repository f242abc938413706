"""Readers hammer while a writer swaps: no error, no missing key, no torn generation."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dynaconf import FlaskDynaconf
from flask import Flask

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from programs.swap import KEYS, payload
from sampling import NIGHTLY
from support import eventually, make_settings

SECONDS = 45 if NIGHTLY else 10  # a million rounds of reads in a night
PROGRAM = Path(__file__).parents[1] / "helpers" / "programs" / "swap.py"


@pytest.fixture(autouse=True)
def eager_switches() -> Iterator[None]:
    """Switch threads fifty times as often, so that they interleave more, and the watch gets on."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 50)
    yield
    sys.setswitchinterval(usual)


@contextmanager
def swapping(writer: AtomicWriter, order: str, pause: float = 0.0) -> Iterator[list[int]]:
    """Have another process swap until the block is left; it then tells how often."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, writer.directory, order, str(pause)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    swaps: list[int] = []
    try:
        yield swaps
    finally:
        swaps.append(int(process.communicate(timeout=60)[0]))


class Readers:
    """Threads that read until told to stop, and keep count of what they saw."""

    def __init__(self, *reads: Callable[[], object]) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(read,)) for read in reads]

    def _run(self, read: Callable[[], object]) -> None:
        count = 0
        while not self._done.is_set():
            try:
                read()
            except Exception as error:
                self.errors.append(error)
            count += 1
        self.counts["reads"] += count

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()


def read_one_generation(snapshot: Callable[[], Any]) -> None:
    """Read all keys of one snapshot in several ways; they must agree."""
    settings = snapshot()
    seen = {settings[key] for key in KEYS} | {settings.DB.HOST}
    seen |= {getattr(settings, key) for key in KEYS}
    assert len(seen) == 1, "torn"


@pytest.mark.heavy
@pytest.mark.parametrize("order", ["current", "1.20"])
def test_two_readers_against_a_writer_without_pause(tmp_path: Path, order: Any) -> None:
    """Two readers see no error, no missing key and no torn snapshot, in both orders."""
    writer = AtomicWriter(tmp_path / "config", order=order)
    writer.write(payload(0))
    settings = make_settings(writer.directory)
    reloader = get_reloader(settings)

    def read_live() -> None:
        for key in KEYS:
            assert isinstance(settings[key], int)
            assert os.environ[f"MYAPP_{key}"]

    readers = Readers(read_live, lambda: read_one_generation(reloader.snapshot))
    with swapping(writer, order) as swaps, readers:
        ends = time.monotonic() + SECONDS
        eventually(lambda: time.monotonic() > ends, 2 * SECONDS)
    assert readers.errors == []
    eventually(lambda: swaps == [settings.KEY0])
    assert reloader.status().generation > 20
    print(
        f"\norder {order}: {readers.counts['reads']} rounds of reads, {swaps[0]} swaps, "
        f"{reloader.status().generation} generations, 0 errors"
    )


@pytest.mark.heavy
def test_sixteen_readers_read_in_every_way(tmp_path: Path) -> None:
    """Sixteen threads read in eight ways for 20 s over 2,000 swaps and find nothing missing."""
    writer = AtomicWriter(tmp_path / "config")
    writer.write(payload(0))
    settings = make_settings(writer.directory)
    app = Flask(__name__)
    FlaskDynaconf(app, dynaconf_instance=settings)
    reloader = get_reloader(settings)

    def attribute() -> None:
        assert isinstance(getattr(settings, random.choice(KEYS)), int)

    def item() -> None:
        assert isinstance(settings[random.choice(KEYS)], int)

    def get() -> None:
        assert isinstance(settings.get(random.choice(KEYS)), int)

    def dotted() -> None:
        assert isinstance(settings("db.host"), int)

    def contains() -> None:
        assert random.choice(KEYS) in settings

    def whole() -> None:
        seen = settings.as_dict()
        assert len({seen[key] for key in KEYS} | {seen["DB"]["HOST"]}) == 1

    def iterate() -> None:
        assert set(KEYS) <= set(settings)

    def flask() -> None:
        assert isinstance(app.config[random.choice(KEYS)], int)

    def snapshot() -> None:
        read_one_generation(reloader.snapshot)

    ways = [attribute, item, get, dotted, contains, whole, iterate, flask]
    started = time.monotonic()
    readers = Readers(*ways, *ways[:7], snapshot)
    with swapping(writer, "current", pause=0.001) as swaps, readers:
        eventually(lambda: time.monotonic() > started + 20 and settings.KEY0 > 2000, 240)
    assert readers.errors == []
    print(
        f"\n16 threads: {readers.counts['reads']} reads, {swaps[0]} swaps, "
        f"{reloader.status().generation} generations, 0 errors"
    )


@pytest.mark.heavy
@pytest.mark.parametrize("order", ["current", "1.20"])
def test_the_last_of_a_burst_is_live(tmp_path: Path, order: Any) -> None:
    """The last of a burst of 500 swaps is the one that is live."""
    writer = AtomicWriter(tmp_path / "config", order=order)
    writer.write(payload(0))
    settings = make_settings(writer.directory)
    assert settings.KEY0 == 0
    for generation in range(1, 501):
        writer.write(payload(generation))
    eventually(lambda: settings.KEY0 == 500 and os.environ["MYAPP_KEY19"] == "500")
