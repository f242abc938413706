"""The master of uWSGI leaves the watching to its workers: with a stand-in for its module."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._watch import greenlets, uwsgi
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def test_a_worker_takes_over_from_the_master(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The master says that it does not watch; the hook, in a worker, starts the watch."""
    module: Any = SimpleNamespace(
        worker_id=lambda: 0, mule_id=lambda: 0, has_threads=1, opt={}, post_fork_hook=None
    )
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    monkeypatch.setitem(sys.modules, "uwsgidecorators", None)
    monkeypatch.setattr("dynaconf_k8s_reload._watch.watcher.WATCHER._awaits_worker", False)
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    reloader = get_reloader(settings)
    status = reloader.status()
    assert (status.watching, status.healthy, status.problems) == ("off", False, (uwsgi.MASTER,))
    volume.write({"KEY": "2"})
    reloader.status()
    assert settings.KEY == 2
    module.worker_id = lambda: 1
    module.post_fork_hook()
    eventually(lambda: reloader.status().watching == "events")
    volume.write({"KEY": "3"})
    eventually(lambda: settings.KEY == 3)
    assert reloader.status().problems == ()


@pytest.mark.parametrize(
    ("error", "patched", "ends"),
    [
        (SystemExit(), "gevent", True),
        (SystemExit(), "", False),
        (ValueError(), "gevent", False),
    ],
)
def test_what_a_signal_handler_raises_in_a_greenlet_is_for_the_process(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, patched: str, ends: bool
) -> None:
    """Under gevent a handler's `sys.exit()` comes out of whatever greenlet runs; elsewhere not."""
    monkeypatch.setattr(greenlets, "patched_by", lambda: patched)
    assert greenlets.is_for_the_process(error) is ends
