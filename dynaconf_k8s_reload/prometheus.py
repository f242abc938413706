"""Metrics of a reloader, for Prometheus's own client; the extra ``prometheus`` installs it.

Each is one of the client's plain metrics, so that they work in its multiprocess mode too: a custom
collector would answer only for the worker that happens to be scraped.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ._model.errors import ConfigError, RedactedCause
from ._model.log import log
from ._model.status import MountStatus, ReloadResult, Status
from ._reload.finding import get_reloader
from ._reload.reloader import Reloader
from ._watch import Hints

__all__ = ["instrument"]

REFRESH_SECONDS = 15.0  # in multiprocess mode; Prometheus scrapes about as often
NO_THREAD = (
    "no thread can be started (%s), so the metrics are written at reloads only; raise the limit of "
    "processes or memory (pids.max, ulimit -u)"
)
HASH_DIGITS = 12  # of the revision: 48 bits, which a float holds exactly
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAG_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class _State(NamedTuple):
    """What a gauge says of a status.

    Attributes:
        name: the metric's, after ``k8s_reload_``.
        help: what it means.
        processes: how multiprocess mode joins the live processes: ``livemin`` and ``livemax`` give
            the worst of them, ``liveall`` gives each, by its ``pid``.
        of: gives it.
    """

    name: str
    help: str
    processes: Any
    of: Callable[[Status], float]


def _timestamp(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()


def _is_present(path: str, status: Status) -> float:
    return any(mount.present for mount in status.mounts if mount.path == path)


_STATES: Final = (
    _State(
        "last_reload_successful",
        "Whether what the mounts hold is served: 0 once an update has been refused.",
        "livemin",
        lambda status: status.last_error is None,
    ),
    _State(
        "last_reload_success_timestamp_seconds",
        "When the generation that is served was published.",
        "livemin",
        lambda status: _timestamp(status.applied_at),
    ),
    _State(
        "generation",
        "The generation that is served, 1 after the first load.",
        "liveall",
        lambda status: status.generation,
    ),
    _State(
        "config_hash",
        "A number made of the revision, equal where the same content is served.",
        "liveall",
        lambda status: int(status.revision[:HASH_DIGITS], 16),
    ),
    _State(
        "restart_required",
        "How many changed settings take effect with a restart only.",
        "livemax",
        lambda status: len(status.restart_required),
    ),
    _State(
        "drifted",
        "How many mirrored variables are not the mount's text any more.",
        "livemax",
        lambda status: len(status.drifted),
    ),
    _State(
        "healthy",
        "Whether the watch of the process works.",
        "livemin",
        lambda status: status.healthy,
    ),
)


def instrument(settings: Any, registry: CollectorRegistry = REGISTRY) -> None:
    """Add the metrics of a settings object to a registry.

    Call it once, after the settings have been made. In the client's multiprocess mode
    (``PROMETHEUS_MULTIPROC_DIR``) each process has to call it: where a server loads the application
    before it forks, in the worker, such as in gunicorn's ``post_fork``. A second call for the same
    settings and registry adds nothing.

    Args:
        settings: a ``Dynaconf``, ``LazySettings`` or ``Settings`` object that uses the loader.
        registry: where to add them; the client's own by default.

    Raises:
        ConfigError: the settings do not use the loader, or the registry has the metrics of others.
    """
    reloader = get_reloader(settings)
    with _instrumenting:
        metrics = _instrumented.get(registry)
        if metrics is None:
            metrics = _instrumented[registry] = _Metrics(reloader, registry)
            reloader.observe(metrics.observe)
    if metrics.reloader() is not reloader:
        raise ConfigError(
            "this registry has the metrics of other settings; give each Dynaconf object a "
            "registry of its own, such as CollectorRegistry()"
        )
    metrics.begin(reloader)


class _Metrics:
    """One reloader's metrics in one registry.

    In one process the gauges ask the reloader whenever they are scraped. In multiprocess mode the
    process that is scraped knows only what each has written, so a thread writes it again and again.
    """

    def __init__(self, reloader: Reloader, registry: CollectorRegistry) -> None:
        self.reloader = weakref.ref(reloader)
        self._is_shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self._ends: dict[int, Hints] = {}  # by process, whose thread each ends
        self._reloads = Counter(
            "k8s_reload_reloads",
            "Reloads of the settings, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self._duration = Histogram(
            "k8s_reload_duration_seconds",
            "How long a reload took.",
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._lag = Histogram(
            "k8s_reload_lag_seconds",
            "The time from the writer's commit to the publication of a generation.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self._gauges: Mapping[_State, Gauge] = {
            state: Gauge(
                f"k8s_reload_{state.name}",
                state.help,
                registry=registry,
                multiprocess_mode=state.processes,
            )
            for state in _STATES
        }
        self._present = Gauge(
            "k8s_reload_mount_present",
            "Whether the directory of a mount was there when it was last read.",
            ["mount"],
            registry=registry,
            multiprocess_mode="livemin",
        )

    def begin(self, reloader: Reloader) -> None:
        """Show what there is, in this process."""
        for outcome in ("applied", "rejected"):
            self._reloads.labels(outcome)
        if not self._is_shared:
            for state, gauge in self._gauges.items():
                gauge.set_function(partial(self._ask, state.of))
            self._show_presence(reloader.status().mounts)
        # In one step: the thread that reloads may begin at the same time.
        elif self._ends.setdefault(os.getpid(), ended := Hints()) is ended:
            self._start_writing(reloader, ended)
            self._write()

    def _start_writing(self, reloader: Reloader, ended: Hints) -> None:
        ended.begin()
        try:
            threading.Thread(
                target=self._go_on_writing, args=(ended,), name="k8s-reload-metrics", daemon=True
            ).start()
        except (RuntimeError, MemoryError) as error:
            del self._ends[os.getpid()]  # the next reload tries again
            log.warning(NO_THREAD, type(error).__name__)
        else:
            weakref.finalize(reloader, ended.give).atexit = False

    def observe(self, result: ReloadResult) -> None:
        """Count a reload; called in the thread that reloads."""
        reloader = self.reloader()
        if reloader is None or result.outcome == "unchanged":
            return
        if self._is_shared:  # first: in a forked process the client begins with gauges of 0
            self._write()
        self._reloads.labels(result.outcome).inc()
        self._duration.observe(result.seconds)
        lag = reloader.status().lag
        if result.outcome == "applied" and lag is not None:
            self._lag.observe(lag)
        self.begin(reloader)

    def _ask(self, of: Callable[[Status], float]) -> float:
        reloader = self.reloader()
        return float("nan") if reloader is None else float(of(reloader.status()))

    def _show_presence(self, mounts: Sequence[MountStatus]) -> None:
        for each in mounts:
            ask = partial(self._ask, partial(_is_present, each.path))
            self._present.labels(each.path).set_function(ask)

    def _write(self) -> None:
        reloader = self.reloader()
        if reloader is None:
            return
        status = reloader.status()
        for state, gauge in self._gauges.items():
            gauge.set(float(state.of(status)))
        for mount in status.mounts:
            self._present.labels(mount.path).set(float(mount.present))

    def _go_on_writing(self, ended: Hints) -> None:
        # `Hints`, not an event: the reloader's finalizer may run here while this holds its lock.
        is_told = False
        while not ended.wait(REFRESH_SECONDS):
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 -- because without this thread the last gauges would stand for ever
                if not is_told:
                    log.warning(
                        "the metrics could not be written, and are written again: %s",
                        RedactedCause.of(error),
                    )
                is_told = True
            else:
                is_told = False


_instrumenting = threading.Lock()  # two threads at once would both add them
_instrumented: weakref.WeakKeyDictionary[CollectorRegistry, _Metrics] = weakref.WeakKeyDictionary()
