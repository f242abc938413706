"""What replaces the threads of a process, and when it does so."""

from __future__ import annotations

import queue
from typing import Any

import pytest

from dynaconf_k8s_reload._watch import greenlets
from dynaconf_k8s_reload._watch.greenlets import is_patching


@pytest.mark.parametrize(
    ("module", "function", "expected"),
    [
        ("gevent.monkey._patch_thread_common", "patch_thread", True),
        ("eventlet.patcher", "monkey_patch", True),
        ("gevent.monkey", "main", False),  # which goes on for as long as the program
        ("application", "patch_thread", False),
    ],
)
def test_patching_is_known_by_who_calls(module: str, function: str, expected: bool) -> None:
    """Only within the patching itself is a process neither one thing nor the other."""
    names: dict[str, Any] = {"__name__": module, "is_patching": is_patching}
    exec(f"def {function}(): return is_patching()", names)
    assert names[function]() is expected


def test_a_greenlet_waits_for_a_queue_of_greenlets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever gevent has patched of `queue`: a real one would block the thread that all share."""
    queues: Any = pytest.importorskip("gevent.queue", reason="gevent is not installed")
    assert type(greenlets.simple_queue()) is queue.SimpleQueue
    monkeypatch.setattr(greenlets, "patched_by", lambda: "gevent")
    assert type(greenlets.simple_queue()) is queues.SimpleQueue
