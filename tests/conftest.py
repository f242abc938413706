"""Fixtures for every test: mounts, settings on them, and nothing left behind."""

from __future__ import annotations

import ctypes  # noqa: F401 -- watchdog imports it, and some builds of Python keep its library open
import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

import sampling  # noqa: F401 -- sets how examples are found, before any test asks for some
from dynaconf_k8s_reload._environ.mirror import Mirror
from dynaconf_k8s_reload._reload import notifier
from dynaconf_k8s_reload._watch import RENEWED_AFTER_FORK, session
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings, open_descriptors, own_process, what_is_open

if "coverage" in sys.modules and (measuring := sys.modules["coverage"].Coverage.current()):
    # It saves what a forked child has run, and a thread that stayed behind may hold its lock.
    os.register_at_fork(
        after_in_child=lambda: setattr(measuring._collector, "data_lock", threading.Lock())
    )

AT_MOST = 30.0  # seconds until what is to end has ended: what is left stays for ever

AREAS = {
    "frameworks": ("test_asgi", "test_django", "test_example_fastapi", "test_flask", "test_probe"),
    "tools": ("test_cli", "test_docs", "test_example", "test_prometheus", "test_pytest_plugin"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of what is built upon the core, by file, for tox.ini to choose from."""
    for item in items:
        if item.path.parent.name in ("cluster", "ecosystem"):
            item.add_marker(item.path.parent.name)
        for area, files in AREAS.items():
            if item.path.name.startswith(files):
                item.add_marker(area)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is there for all tests, which is nearly everything."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def mirror() -> Iterator[Mirror]:
    """The mirror of this test, as if each were a process: it knows of nothing mirrored before."""
    with own_process() as mirror:
        yield mirror


@pytest.fixture(autouse=True)
def nothing_is_left(mirror: Mirror) -> Iterator[None]:
    """Fail a test that leaves a thread, a descriptor or a changed environment behind."""
    earlier = WeakSet(RENEWED_AFTER_FORK)  # some live on in what a test has left in a module
    threads = set(threading.enumerate())
    environment = _environment()
    descriptors = open_descriptors()
    yield
    loaded = any(each not in earlier for each in RENEWED_AFTER_FORK)
    _stop_all()
    _put_back(mirror)
    if loaded or set(threading.enumerate()) - threads or open_descriptors() > descriptors:
        gc.collect()  # which takes a while, so not after a test that has loaded nothing
    eventually(
        lambda: set(threading.enumerate()) <= threads,
        seconds=AT_MOST,
        else_show=lambda: f"{set(threading.enumerate()) - threads} still run",
    )
    eventually(
        lambda: open_descriptors() <= descriptors,
        seconds=AT_MOST,
        else_show=lambda: f"{descriptors} were open before, now {what_is_open()}",
        collecting=True,
    )
    assert _environment() == environment


def _stop_all() -> None:
    each: Any
    for each in list(RENEWED_AFTER_FORK):
        each.stop(restore=True)
        notifier._close(each._notifier._board)
        each._notifier.renew_after_fork()


def _put_back(mirror: Mirror) -> None:
    """Undo what is left of objects that have been collected, whose variables stay as they are."""
    for name, record in mirror._ledger.records.items():
        if record.owned and name in os.environ and os.environ[name] == record.left:
            if record.before is None:
                del os.environ[name]
            else:
                os.environ[name] = record.before


def _environment() -> dict[str, str]:
    own = "PYTEST_CURRENT_TEST"  # pytest's, which changes with each phase of a test
    return {name: value for name, value in os.environ.items() if name != own}


@pytest.fixture
def first_look_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whoever uses a watch first wait for its first look, also where that takes seconds."""
    monkeypatch.setattr(session, "FIRST_LOOK_SECONDS", AT_MOST)


@pytest.fixture
def volume(tmp_path: Path) -> AtomicWriter:
    """A mount that the kubelet writes."""
    return AtomicWriter(tmp_path / "config")


@pytest.fixture
def settings(volume: AtomicWriter) -> Any:
    """Settings on `volume` that reload only when told to: no watch."""
    return make_settings(volume.directory, k8s_watch=False)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The package's log, from DEBUG on."""
    caplog.set_level(logging.DEBUG, logger="dynaconf_k8s_reload")
    return caplog
