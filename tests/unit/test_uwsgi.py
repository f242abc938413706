"""What uWSGI's own module tells, of each of its processes."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dynaconf_k8s_reload._watch import uwsgi


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as a worker of a newer release has it."""
    made = SimpleNamespace(
        worker_id=lambda: 1,
        mule_id=lambda: 0,
        i_am_the_spooler=lambda: False,
        has_threads=1,
        opt={},
        post_fork_hook=None,
    )
    monkeypatch.setitem(sys.modules, "uwsgi", made)
    return made


def test_elsewhere_nothing_hinders() -> None:
    """In a process that is not uWSGI's, threads watch."""
    assert uwsgi.hindrance() == ""


def test_the_master_does_not_watch(module: Any) -> None:
    """Whatever loads applications before the workers are forked leaves the watching to these."""
    module.worker_id = lambda: 0
    assert uwsgi.hindrance() == uwsgi.MASTER
    module.mule_id = lambda: 2
    assert uwsgi.hindrance() == ""
    module.mule_id, module.i_am_the_spooler = (lambda: 0), (lambda: True)
    assert uwsgi.hindrance() == ""


@pytest.mark.parametrize(
    ("threads", "options", "told"),
    [
        (1, {}, ""),
        (0, {}, uwsgi.NO_THREADS),
        (None, {}, uwsgi.NO_THREADS),
        (None, {"enable-threads": True}, ""),
        (None, {"threads": b"2"}, ""),
        (None, {"gevent": b"100"}, ""),
    ],
)
def test_a_worker_without_threads_is_told(
    module: Any, threads: int | None, options: dict[str, object], told: str
) -> None:
    """Newer releases say whether they have threads; of older ones the options tell."""
    module.opt = options
    if threads is None:
        del module.has_threads
    else:
        module.has_threads = threads
    assert uwsgi.hindrance() == told


def test_hooks_of_others_stay(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """uWSGI's decorators are imported first, and what they or an application hooked is called."""
    called: list[str] = []
    module.post_fork_hook = lambda: called.append("theirs")
    monkeypatch.setitem(sys.modules, "uwsgidecorators", ModuleType("uwsgidecorators"))
    uwsgi.in_each_worker(lambda: called.append("ours"))
    module.post_fork_hook()
    assert called == ["ours", "theirs"]


def test_a_hook_of_ours_alone(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a master the decorators cannot be imported, and nobody else has a hook."""
    monkeypatch.setitem(sys.modules, "uwsgidecorators", None)
    called: list[str] = []
    uwsgi.in_each_worker(lambda: called.append("ours"))
    module.post_fork_hook()
    assert called == ["ours"]
