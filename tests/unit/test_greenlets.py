"""What replaces the threads of a process, and when it does so."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from dynaconf_k8s_reload._watch.greenlets import greenlets_are_being_set_up


@pytest.mark.parametrize(
    ("module", "function", "expected"),
    [
        ("gevent.monkey._patch_thread_common", "patch_thread", True),
        ("gevent.hub", "__init__", True),
        ("eventlet.patcher", "monkey_patch", True),
        ("eventlet.hubs", "use_hub", True),
        ("gevent.monkey", "main", False),  # which goes on for as long as the program
        ("gevent.hub", "run", False),  # which the application's greenlets do not end
        ("application", "patch_thread", False),
    ],
)
def test_setting_up_is_known_by_who_calls(module: str, function: str, expected: bool) -> None:
    """Only within that is a process neither one thing nor the other."""
    names: dict[str, Any] = {"__name__": module, "asked": greenlets_are_being_set_up}
    exec(f"def {function}(): return asked()", names)
    assert names[function]() is expected


def test_a_greenlet_waits_for_a_queue_of_greenlets() -> None:
    """Whatever gevent has patched of `queue`: a real one would block the thread that all share."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    program = """
import queue
from gevent import monkey
monkey.patch_all(queue=False)
import gevent.queue
from dynaconf_k8s_reload._watch.greenlets import simple_queue
assert queue.SimpleQueue is not gevent.queue.SimpleQueue
assert type(simple_queue()) is gevent.queue.SimpleQueue
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
