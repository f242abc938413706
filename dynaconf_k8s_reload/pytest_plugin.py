"""The pytest plugin: a ConfigMap volume, settings that follow it, and a wait for its generation.

pytest imports it in every project of an environment, so it imports nothing but pytest until a test
asks for one of its fixtures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ._model.status import Status
    from .testing import AtomicWriter

__all__ = ["configmap_volume", "k8s_settings", "wait_for_generation"]

MARKER = "configmap_order"
THREADS_SECONDS = 10.0


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(order, ...): the order in which `configmap_volume` is written, 'current' or "
        "'1.20'; with several, the test runs once in each.",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once in each of the orders that its marker names."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker and len(marker.args) > 1 and "configmap_volume" in metafunc.fixturenames:
        metafunc.parametrize("configmap_volume", marker.args, indirect=True)


@pytest.fixture
def configmap_volume(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AtomicWriter:
    """An empty ConfigMap volume on a temporary directory, written as the kubelet writes one."""
    from .testing import AtomicWriter  # noqa: PLC0415 -- because the plugin imports only pytest

    volume = AtomicWriter(tmp_path_factory.mktemp("configmap"), _order(request))
    volume.write({})  # a volume is there, if empty, before the first process of a pod starts
    return volume


@pytest.fixture
def k8s_settings(configmap_volume: AtomicWriter) -> Iterator[Callable[..., Any]]:
    """Make dynaconf settings on `configmap_volume`, loaded and watching; call it at will.

    It takes the keywords of ``Dynaconf(...)``. After the test everything is undone: the watch and
    its threads end, and the environment is as it was before the mirror.
    """
    from dynaconf import Dynaconf  # noqa: PLC0415 -- because the plugin imports only pytest

    from ._reload.finding import get_reloader  # noqa: PLC0415 -- because the plugin imports only pytest

    reloaders = []
    threads = set(threading.enumerate())

    def make(**keywords: Any) -> Any:
        keywords.setdefault("loaders", ["dynaconf_k8s_reload.loader"])
        keywords.setdefault("k8s_mounts", [str(configmap_volume.directory)])
        settings = Dynaconf(**keywords)
        reloaders.append(get_reloader(settings))  # dynaconf is lazy; this loads
        return settings

    yield make
    for reloader in reversed(reloaders):
        reloader.stop(restore=True)
    _join(set(threading.enumerate()) - threads)


@pytest.fixture
def wait_for_generation() -> Callable[..., Status]:
    """The function `dynaconf_k8s_reload.testing.wait_for_generation`."""
    from . import testing  # noqa: PLC0415 -- because the plugin imports only pytest

    return testing.wait_for_generation


def _order(request: pytest.FixtureRequest) -> Any:
    if hasattr(request, "param"):
        return request.param
    marker = request.node.get_closest_marker(MARKER)
    orders = marker.args if marker else ("current",)
    if len(orders) != 1:
        raise pytest.UsageError(
            f"{MARKER} names no order, or several for a single case; write "
            f'@pytest.mark.{MARKER}("1.20"), or several of them on the test function itself'
        )
    return orders[0]


def _join(threads: set[threading.Thread]) -> None:
    """Wait until those threads that are ours have ended; a subscriber may still be busy."""
    give_up = time.monotonic() + THREADS_SECONDS
    for thread in [each for each in threads if each.name.startswith("k8s-reload")]:
        thread.join(max(0.0, give_up - time.monotonic()))
