"""Metrics: the series, what they say, and gunicorn's workers in one answer."""

from __future__ import annotations

import errno
import gc
import http.client
import json
import math
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dynaconf import Validator

from applications import PROGRAMS
from dynaconf_k8s_reload import ConfigError, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import Clients, serving
from support import eventually, make_settings

pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dynaconf_k8s_reload import prometheus
from dynaconf_k8s_reload._watch import Hints
from dynaconf_k8s_reload.prometheus import instrument

SERIES = {
    "k8s_reload_reloads": "counter",
    "k8s_reload_last_reload_successful": "gauge",
    "k8s_reload_last_reload_success_timestamp_seconds": "gauge",
    "k8s_reload_generation": "gauge",
    "k8s_reload_config_hash": "gauge",
    "k8s_reload_duration_seconds": "histogram",
    "k8s_reload_lag_seconds": "histogram",
    "k8s_reload_restart_required": "gauge",
    "k8s_reload_drifted": "gauge",
    "k8s_reload_healthy": "gauge",
    "k8s_reload_mount_present": "gauge",
}


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's own."""
    return CollectorRegistry()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Give a sample by its name after ``k8s_reload_``."""
    sample: float | None = registry.get_sample_value(f"k8s_reload_{name}", labels)
    return sample


def test_the_series_are_these(
    volume: AtomicWriter, settings: Any, registry: CollectorRegistry
) -> None:
    """They are those that the documentation names, all of them at once, and none shows a value."""
    volume.write({"PASSWORD": "hunter2"})
    instrument(settings, registry)
    text = generate_latest(registry).decode()
    families = {f.name: f.type for f in text_string_to_metric_families(text) if f.samples}
    assert {n: t for n, t in families.items() if not n.endswith("_created")} == SERIES
    assert "hunter2" not in text
    assert "PASSWORD" not in text


def test_a_first_load_is_shown(
    volume: AtomicWriter, settings: Any, registry: CollectorRegistry
) -> None:
    """Before any reload there is a generation that was loaded well, and no reload."""
    volume.write({"A": "1"})
    instrument(settings, registry)
    status = get_reloader(settings).status()
    assert status.applied_at is not None
    at = value(registry, "last_reload_success_timestamp_seconds")
    assert at == pytest.approx(status.applied_at.timestamp())
    assert value(registry, "last_reload_successful") == 1
    assert value(registry, "generation") == 1
    assert value(registry, "healthy") == 1
    assert value(registry, "mount_present", mount=str(volume.directory)) == 1
    for outcome in ("applied", "rejected"):
        assert value(registry, "reloads_total", outcome=outcome) == 0


def test_reloads_are_counted_by_outcome(volume: AtomicWriter, registry: CollectorRegistry) -> None:
    """What was applied and what was refused, with its time; what changed nothing is no reload."""
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        validators=[Validator("A", lt=10)],
        k8s_restart_keys=["A"],
    )
    instrument(settings, registry)
    reloader = get_reloader(settings)
    reloader.reload()
    volume.write({"A": "2"})
    reloader.reload()
    assert value(registry, "lag_seconds_count") == 1
    assert value(registry, "restart_required") == 1
    volume.write({"A": "11"})
    reloader.reload()
    assert value(registry, "last_reload_successful") == 0
    assert value(registry, "reloads_total", outcome="applied") == 1
    assert value(registry, "reloads_total", outcome="rejected") == 1
    assert value(registry, "duration_seconds_count") == 2
    assert value(registry, "lag_seconds_count") == 1
    volume.write({"A": "2"})
    reloader.reload()
    assert value(registry, "last_reload_successful") == 1
    assert value(registry, "generation") == 2


def test_processes_with_the_same_content_have_the_same_hash(
    volume: AtomicWriter, registry: CollectorRegistry
) -> None:
    """The hash is a whole number that JSON and Prometheus hold exactly, and follows the content."""
    volume.write({"A": "1"})
    other_registry = CollectorRegistry()
    settings, other = (make_settings(volume.directory, k8s_watch=False) for _ in range(2))
    instrument(settings, registry)
    instrument(other, other_registry)
    first = value(registry, "config_hash")
    assert first is not None
    assert first == value(other_registry, "config_hash")
    assert first == int(first) < 2**53
    volume.write({"A": "2"})
    get_reloader(settings).reload()
    assert value(registry, "config_hash") != first == value(other_registry, "config_hash")


def test_the_last_good_is_shown(
    volume: AtomicWriter, registry: CollectorRegistry, tmp_path: Path
) -> None:
    """A process that serves it since its start has never been successful, until it is."""
    options: dict[str, Any] = {"k8s_watch": False, "k8s_last_good": str(tmp_path / "kept")}
    volume.write({"A": "1"})
    get_reloader(make_settings(volume.directory, **options)).stop(restore=True)
    volume.write({"A": "@int x"})
    settings = make_settings(volume.directory, **options)
    instrument(settings, registry)
    assert (settings.A, value(registry, "last_reload_successful")) == (1, 0)
    volume.write({"A": "2"})
    get_reloader(settings).reload()
    assert value(registry, "last_reload_successful") == 1


def test_a_mount_that_goes_is_shown(
    tmp_path: Path, volume: AtomicWriter, registry: CollectorRegistry
) -> None:
    """One that is absent from the start is 0, and 1 once it is there."""
    volume.write({"A": "1"})
    late = AtomicWriter(tmp_path / "late")
    os.rmdir(late.directory)
    settings = make_settings(volume.directory, late.directory, k8s_watch=False)
    instrument(settings, registry)
    assert value(registry, "mount_present", mount=str(late.directory)) == 0
    late.directory.mkdir()
    late.write({"B": "1"})
    get_reloader(settings).reload()
    assert value(registry, "mount_present", mount=str(late.directory)) == 1


def test_instrumenting_twice_adds_nothing(
    volume: AtomicWriter, settings: Any, registry: CollectorRegistry
) -> None:
    """The same settings are counted once; those of another object need another registry."""
    volume.write({"A": "1"})
    instrument(settings, registry)
    instrument(settings, registry)
    volume.write({"A": "2"})
    get_reloader(settings).reload()
    assert value(registry, "reloads_total", outcome="applied") == 1
    with pytest.raises(ConfigError, match="a registry of its own"):
        instrument(make_settings(volume.directory, k8s_watch=False), registry)


def test_two_threads_may_instrument_at_once(
    volume: AtomicWriter,
    settings: Any,
    registry: CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second one waits for the first, and adds nothing."""
    volume.write({"A": "1"})
    assert settings.A == 1
    second = threading.Event()

    class Lock:
        def __enter__(self) -> None:
            if threading.current_thread() is another:
                second.set()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    def counter(*arguments: Any, **keywords: Any) -> Counter:
        if threading.current_thread() is another:
            second.set()
        else:
            another.start()
            assert second.wait(10)
        return Counter(*arguments, **keywords)

    raised: list[Exception] = []

    def instrument_too() -> None:
        try:
            instrument(settings, registry)
        except ValueError as error:
            raised.append(error)

    lock, another = threading.Lock(), threading.Thread(target=instrument_too)
    monkeypatch.setattr(prometheus, "_instrumenting", Lock(), raising=False)
    monkeypatch.setattr(prometheus, "Counter", counter)
    instrument(settings, registry)
    another.join(10)
    assert not another.is_alive()
    assert raised == []
    assert value(registry, "generation") == 1


@pytest.fixture
def of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry
) -> CollectorRegistry:
    """As in multiprocess mode, but the client's own part of it."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return registry


def writers() -> int:
    """Count the threads that write metrics."""
    return sum(each.name == "k8s-reload-metrics" for each in threading.enumerate())


def test_one_thread_writes_though_two_begin_at_once(
    volume: AtomicWriter, settings: Any, of_many: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that instruments in a worker may be reloading there meanwhile."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    both, pid, met = threading.Barrier(2, timeout=10), os.getpid(), threading.local()

    def getpid() -> int:
        if not hasattr(met, "once"):
            met.once = True
            both.wait()
        return pid

    metrics = prometheus._Metrics(reloader, of_many)
    monkeypatch.setattr(prometheus, "os", SimpleNamespace(getpid=getpid))
    threads = [threading.Thread(target=metrics.begin, args=(reloader,)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert writers() == 1
    metrics._ends[pid].give()


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_no_thread_starts_metrics_are_written_at_reloads(
    volume: AtomicWriter,
    settings: Any,
    of_many: CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """A warning says so, and the next reload tries to start it again."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)

    def refuse(self: threading.Thread) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        instrument(settings, of_many)
    assert writers() == 0
    assert value(of_many, "generation") == 1
    assert f"no thread can be started ({type(error).__name__}), so the metrics" in logged.text
    volume.write({"A": "2"})
    reloader.reload()
    assert writers() == 1
    assert value(of_many, "generation") == 2
    for ended in list(prometheus._instrumented[of_many]._ends.values()):
        ended.give()


def test_a_process_whose_metrics_cannot_be_written_tries_again(
    volume: AtomicWriter, settings: Any, of_many: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk is full the first time, the thread that writes them goes on all the same."""
    volume.write({"A": "1"})
    monkeypatch.setattr(prometheus, "REFRESH_SECONDS", 0.01)
    metrics = prometheus._Metrics(get_reloader(settings), of_many)

    def is_full(_: float) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        for gauge in metrics._gauges.values():
            patched.setattr(gauge, "set", is_full)
        with pytest.raises(OSError, match="no space left"):
            metrics.begin(get_reloader(settings))
    eventually(lambda: value(of_many, "generation") == 1)
    metrics._ends[os.getpid()].give()


def test_settings_may_be_collected_by_the_thread_that_writes_their_metrics(
    volume: AtomicWriter, of_many: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the garbage collector comes while it begins to wait: the thread ends."""
    volume.write({"A": "1"})
    monkeypatch.setattr(prometheus, "REFRESH_SECONDS", 0.001)
    doomed: list[Any] = []
    is_theirs = threading.Event()

    begins = (threading.Condition.wait.__code__, Hints.wait.__code__)

    def collect(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code in begins and doomed and is_theirs.is_set():
            doomed.clear()
            gc.collect()

    settings = make_settings(volume.directory, k8s_watch=False, k8s_mirror=False)
    threading.setprofile(collect)
    try:
        instrument(settings, of_many)
    finally:
        threading.setprofile(None)
    doomed.append(settings)
    del settings
    is_theirs.set()
    eventually(lambda: doomed == [] and writers() == 0, collecting=True)
    assert doomed == []


def test_metrics_keep_nothing_alive(volume: AtomicWriter, registry: CollectorRegistry) -> None:
    """Settings that are gone say nothing more; a scrape goes on."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_mirror=False)
    instrument(settings, registry)
    gone = weakref.ref(get_reloader(settings))
    del settings
    eventually(lambda: gone() is None, collecting=True)
    generation = value(registry, "generation")
    assert generation is not None
    assert math.isnan(generation)


ONE_OF_MANY = """
import json, os, sys, threading
from dynaconf_k8s_reload import get_reloader, prometheus
from dynaconf_k8s_reload.testing import AtomicWriter
from prometheus_client import REGISTRY, CollectorRegistry, multiprocess
from support import eventually, make_settings

def scraped():
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    samples = [s for f in registry.collect() for s in f.samples]
    return {f"{s.name}{s.labels.get('outcome', '')}": s.value for s in samples}

prometheus.REFRESH_SECONDS = 0.05
volume = AtomicWriter(sys.argv[1])
settings = make_settings(sys.argv[1], k8s_watch=False, k8s_resync=0.001)
prometheus.instrument(settings)
first = scraped()
"""


def told_by_one_of_many(program: str, volume: AtomicWriter, shared: Path) -> Any:
    """Give what a program of multiprocess mode prints as JSON."""
    shared.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", ONE_OF_MANY + program, str(volume.directory)],
        env={
            **os.environ,
            "PROMETHEUS_MULTIPROC_DIR": str(shared),
            "PYTHONPATH": os.pathsep.join([str(PROGRAMS.parent), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_process_of_many_writes_what_it_is(volume: AtomicWriter, tmp_path: Path) -> None:
    """In multiprocess mode each process writes its gauges at once, and again time and again."""
    volume.write({"A": "1"})
    program = """
volume.write({"A": "2"})
get_reloader(settings).reload()
second = scraped()
print(json.dumps([first, second]))
names = {thread.name for thread in threading.enumerate()}
assert "k8s-reload-metrics" in names
del settings
import gc

def is_over():
    gc.collect()  # time and again: the thread holds the reloader while it writes
    return "k8s-reload-metrics" not in {t.name for t in threading.enumerate()}

eventually(is_over)
before = scraped()
prometheus._instrumented[REGISTRY]._write()  # as if the thread had woken just before
assert scraped() == before
"""
    first, second = told_by_one_of_many(program, volume, tmp_path / "shared")
    assert (first["k8s_reload_generation"], second["k8s_reload_generation"]) == (1, 2)
    assert first["k8s_reload_reloads_totalapplied"] == 0
    assert second["k8s_reload_reloads_totalapplied"] == 1
    assert second["k8s_reload_mount_present"] == 1


def test_a_forked_process_shows_no_state_that_it_is_not_in(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """The client begins there with 0, which says unhealthy, so a reload writes gauges first."""
    volume.write({"A": "1"})
    program = """
pid = os.fork()
if pid == 0:
    duration = prometheus._instrumented[REGISTRY]._duration
    duration.observe = lambda _: print(json.dumps(scraped()), flush=True)
    volume.write({"A": "2"})
    get_reloader(settings).reload()
    os._exit(0)
os.waitpid(pid, 0)
"""
    seen = told_by_one_of_many(program, volume, tmp_path / "shared")
    assert (seen["k8s_reload_reloads_totalapplied"], seen["k8s_reload_healthy"]) == (1, 1)


def test_a_write_that_fails_is_made_again(
    settings: Any,
    registry: CollectorRegistry,
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that was out of memory for a moment does not say what it was for ever after."""
    instrument(settings, registry)
    metrics = prometheus._instrumented[registry]
    errors = iter([MemoryError(), MemoryError(), None, MemoryError()])

    class Ended(Hints):
        turns = iter([False, False, False, False, True])

        def wait(self, _: float) -> bool:
            return next(self.turns)

    def write() -> None:
        error = next(errors)
        if error is not None:
            raise error

    monkeypatch.setattr(metrics, "_write", write)
    metrics._go_on_writing(Ended())
    assert list(errors) == []
    told = [record.getMessage() for record in logged.records]
    assert len([line for line in told if "metrics could not be written" in line]) == 2


def scrape(port: int) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Ask a server for its metrics: name to labels and value of each series."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


@pytest.mark.heavy
@pytest.mark.parametrize("preload", [False, True], ids=["no preload", "preload"])
def test_gunicorn_answers_for_every_worker(
    volume: AtomicWriter, tmp_path: Path, preload: bool
) -> None:
    """Whichever worker is scraped, the answer has both; one that has ended is forgotten."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    volume.write({"NUMBER": "1"})
    shared = tmp_path / "shared"
    shared.mkdir()
    command = [
        *("gunicorn", "--workers", "2", "--bind", "fd://{fd}", "--no-control-socket"),
        *("--config", str(PROGRAMS / "metrics_server.py")),
        *(["--preload"] if preload else []),
        "metrics_app:application",
    ]
    variables = {
        **os.environ,
        "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)]),
        "PROMETHEUS_MULTIPROC_DIR": str(shared),
        "PYTHONPATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")]),
    }
    masters = 1 if preload else 0
    with serving(command, volume, tmp_path / "log", variables, codes=(0,)) as port:
        with Clients(port) as clients:
            eventually(lambda: clients.all(2, lambda _: True), seconds=30)
            workers = set(clients.answers)
        assert serves(port, workers, generation=1)
        before = scrape(port)["k8s_reload_config_hash"]
        volume.write({"NUMBER": "2"})
        eventually(lambda: serves(port, workers, generation=2))
        after = scrape(port)
        assert {v for _, v in before}.isdisjoint(v for _, v in after["k8s_reload_config_hash"])
        (applied,) = (
            number
            for labels, number in after["k8s_reload_reloads_total"]
            if labels == {"outcome": "applied"}
        )
        assert applied == 2 + masters
        assert after["k8s_reload_lag_seconds_count"] == [({}, 2 + masters)]
        volume.write({"NUMBER": "100"})
        eventually(lambda: scrape(port)["k8s_reload_last_reload_successful"] == [({}, 0.0)])
        assert scrape(port)["k8s_reload_healthy"] == [({}, 1.0)]
        volume.write({"NUMBER": "3"})
        eventually(lambda: serves(port, workers, generation=3))
        ended = min(workers)
        os.kill(ended, signal.SIGTERM)
        eventually(
            lambda: all(
                labels["pid"] != str(ended) for labels, _ in scrape(port)["k8s_reload_generation"]
            ),
            seconds=30,
        )
        # A worker that gunicorn is just starting may not hear that it is to end.
        with Clients(port) as clients:
            eventually(lambda: clients.all(2, lambda _: True), seconds=30)


def serves(port: int, workers: set[int], generation: int) -> bool:
    """Tell whether all workers are shown, and have this generation."""
    shown = {int(labels["pid"]): number for labels, number in scrape(port)["k8s_reload_generation"]}
    return workers <= set(shown) and set(shown.values()) == {generation}
