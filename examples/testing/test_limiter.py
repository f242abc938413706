# ruff: noqa: S101 -- because a test asserts
"""How `limiter.py` behaves when its ConfigMap changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from limiter import OPTIONS, Limiter

from dynaconf_k8s_reload import ReloadRejected
from dynaconf_k8s_reload.testing import AtomicWriter

Wait = Callable[..., Any]


@pytest.fixture
def settings(configmap_volume: AtomicWriter, k8s_settings: Callable[..., Any]) -> Any:
    """The application's settings, with a volume in the place of /config."""
    configmap_volume.write({"LIMITER_AT_ONCE": "1"})
    return k8s_settings(**OPTIONS)


@pytest.mark.configmap_order("current", "1.20")
def test_a_higher_limit_holds_at_once(
    settings: Any, configmap_volume: AtomicWriter, wait_for_generation: Wait
) -> None:
    """After an update more requests come in."""
    limiter = Limiter(settings)
    assert limiter.enter(timeout=0)
    assert not limiter.enter(timeout=0)
    configmap_volume.set("LIMITER_AT_ONCE", "2")
    wait_for_generation(settings)
    assert limiter.enter(timeout=0)


def test_a_higher_limit_wakes_who_waits(settings: Any, configmap_volume: AtomicWriter) -> None:
    """A request that waits for room is let in by an update, through the subscriber."""
    limiter = Limiter(settings)
    assert limiter.enter(timeout=0)
    results: list[bool] = []
    waiting = threading.Thread(target=lambda: results.append(limiter.enter(timeout=30)))
    waiting.start()
    configmap_volume.set("LIMITER_AT_ONCE", "2")
    waiting.join()
    assert results == [True]


def test_no_limit_is_refused(
    settings: Any, configmap_volume: AtomicWriter, wait_for_generation: Wait
) -> None:
    """A limit of nothing is refused, and the last good one stays."""
    configmap_volume.set("LIMITER_AT_ONCE", "0")
    with pytest.raises(ReloadRejected, match="AT_ONCE"):
        wait_for_generation(settings)
    assert settings.AT_ONCE == 1
