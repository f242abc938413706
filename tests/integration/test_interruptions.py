"""A signal handler may run, raise and reload at any point; nothing of it is the content's fault."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dynaconf_k8s_reload import ConfigError, get_reloader
from dynaconf_k8s_reload._reload.interruption import completely, in_signal_handler
from dynaconf_k8s_reload._reload.memory_file import MEMORY_FILE
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


class SoftTimeLimitError(Exception):
    """What a task queue raises in its handler."""


@contextmanager
def handler(function: Any) -> Iterator[Callable[[], None]]:
    before = signal.signal(signal.SIGUSR1, function)
    try:
        yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


class Callable_:  # noqa: N801 -- because `Callable` is taken
    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def __call__(self, *_: Any) -> None:
        self.function()


KINDS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "a function": lambda function: lambda *_: function(),
    "a method": lambda function: Callable_(function).__call__,
    "an object": Callable_,
    "a partial": lambda function: functools.partial(lambda function, *_: function(), function),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_reload_within_a_reload_is_done_afterwards(
    settings: Any, volume: AtomicWriter, kind: Any
) -> None:
    """A handler's ``reload()`` is remembered; good content is not refused, the newest serves."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    answers: list[str] = []
    checks: list[int] = []

    with handler(kind(lambda: answers.append(reloader.reload().outcome))) as interrupt:

        @reloader.on_validate
        def check(candidate: Any, _: Any) -> None:
            checks.append(candidate.A)
            if candidate.A == 2:
                volume.write({"A": "3"})
                interrupt()
                interrupt()

        volume.write({"A": "2"})
        assert reloader.reload().outcome == "applied"
    assert answers == ["unchanged", "unchanged"]
    assert checks == [2, 3]
    assert settings.A == 3
    assert reloader.status().rejected == 0


def test_a_check_that_reloads_gets_an_error(settings: Any, volume: AtomicWriter) -> None:
    """Of its own reloader or of another one: it would wait for itself."""
    volume.write({"A": "1"})
    other = make_settings(volume.directory, k8s_watch=False)
    assert other.A == 1
    for target in (settings, other):
        reloader = get_reloader(settings)

        @reloader.on_validate
        def check(*_: Any, target: Any = target) -> None:
            with pytest.raises(ConfigError, match="within a reload"):
                get_reloader(target).reload()

        volume.write({"A": str(settings.A + 1)})
        assert reloader.reload().outcome == "applied"
        reloader.unsubscribe(check)


@pytest.mark.parametrize("where", ["a check", "a validator", "a settings file"])
def test_what_a_handler_raises_gets_out(volume: AtomicWriter, tmp_path: Any, where: str) -> None:
    """A soft time limit ends ``reload()`` as itself, and the content is tried again."""
    hits: list[int] = []

    def reached(*_: Any) -> bool:
        if not hits and armed:
            hits.append(1)
            interrupt()
        return True

    def limit(*_: Any) -> None:
        raise SoftTimeLimitError

    armed = False
    volume.write({"A": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        post_hooks=[lambda *_: {"SEEN": reached()}] if where == "a settings file" else [],
    )
    reloader = get_reloader(settings)
    if where == "a check":
        reloader.on_validate(reached)
    elif where == "a validator":
        from dynaconf import Validator

        settings.validators.register(Validator("A", condition=reached))
    with handler(limit) as interrupt:
        armed = True
        volume.write({"A": "2"})
        with pytest.raises(SoftTimeLimitError):
            reloader.reload()
        assert (settings.A, os.environ["A"]) == (1, "1")
        assert reloader.status().last_error is None
        reloader.following.changed()
    assert settings.A == 2


def test_what_a_handler_raises_gets_out_while_the_mounts_move(
    settings: Any, volume: AtomicWriter
) -> None:
    """The content that has come meanwhile does not keep it going: the time is up."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)

    def limit(*_: Any) -> None:
        volume.write({"A": "3"})
        raise SoftTimeLimitError

    with handler(limit) as interrupt:

        @reloader.on_validate
        def check(candidate: Any, _: Any) -> None:
            if candidate.A == 2:
                interrupt()

        volume.write({"A": "2"})
        with pytest.raises(SoftTimeLimitError):
            reloader.reload()
        assert settings.A == 1
        assert reloader.reload().outcome == "applied"
    assert settings.A == 3


@pytest.mark.parametrize(
    ("error", "tried"),
    [(KeyboardInterrupt, True), (asyncio.CancelledError, True), (SystemExit, False)],
)
def test_what_interrupts_the_watch_says_nothing_of_the_content(
    volume: AtomicWriter, error: type[BaseException], tried: bool
) -> None:
    """The watch tries the same content again, but ``sys.exit()`` would have ended a start."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    errors = [error()]

    @reloader.on_validate
    def check(*_: Any) -> None:
        if errors:
            raise errors.pop()

    volume.write({"MYAPP_A": "2"})
    reloader.following.changed()
    assert (settings.A, reloader.status().rejected) == (1, 1)
    reloader.following.changed()
    assert (settings.A == 2) is (reloader.status().last_error is None) is tried


def test_an_interrupted_mirror_is_put_back(settings: Any, volume: AtomicWriter) -> None:
    """Variables are written all or not at all, whichever write a handler interrupts."""
    names = [f"MYAPP_N{number:02}" for number in range(20)]
    volume.write(dict.fromkeys(names, "1"))
    reloader = get_reloader(settings)
    countdown = [0]

    def audit(event: str, arguments: Any) -> None:
        if event == "os.putenv" and arguments[0].startswith(b"MYAPP_N") and countdown[0]:
            countdown[0] -= 1
            if not countdown[0]:
                raise KeyboardInterrupt

    sys.addaudithook(audit)
    for at in (1, 7, 20):
        text = str(at + 1)
        volume.write({**dict.fromkeys(names, text), f"NEW{at}": "1"})
        before = {name: os.environ[name] for name in names}
        countdown[0] = at
        with pytest.raises(KeyboardInterrupt):
            reloader.reload()
        assert {name: os.environ[name] for name in names} == before
        assert str(settings.N00) == before["MYAPP_N00"]
        assert f"NEW{at}" not in os.environ
        assert reloader.reload().outcome == "applied"
        assert {os.environ[name] for name in names} == {text}


def test_a_write_that_fails_refuses_the_update(settings: Any, volume: AtomicWriter) -> None:
    """What can be put back is, and what cannot is known as it is, so a later reload mends it."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    reloader = get_reloader(settings)
    bad = [False]

    def audit(event: str, arguments: Any) -> None:
        if event == "os.putenv" and arguments[0] == b"MYAPP_B" and bad[0]:
            raise RuntimeError

    sys.addaudithook(audit)
    volume.write({"MYAPP_A": "2", "MYAPP_B": "2"})
    bad[0] = True
    assert reloader.reload().outcome == "rejected"
    bad[0] = False
    assert (settings.A, os.environ["MYAPP_A"], os.environ["MYAPP_B"]) == (1, "1", "1")
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    assert reloader.reload().outcome == "unchanged"
    volume.write({"MYAPP_A": "3", "MYAPP_B": "3"})
    assert reloader.reload().outcome == "applied"
    assert (os.environ["MYAPP_A"], os.environ["MYAPP_B"]) == ("3", "3")


def test_a_stop_within_a_start_stops_all_of_it(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread, no status for others and no part in the reloads of other objects is left."""
    volume.write({"A": "1"})
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    process = reloader._process
    join = process.join
    with handler(lambda *_: reloader.stop()) as interrupt:

        def interrupted(member: Any) -> None:
            interrupt()
            join(member)

        monkeypatch.setattr(process, "join", interrupted)
        reloader.start()
    assert reloader.status().watching == "off"
    assert reloader.key not in process._watching
    assert reloader.key not in MEMORY_FILE._entries
    eventually(lambda: "k8s-reload-watch" not in {each.name for each in threading.enumerate()})


def test_every_step_is_taken_before_an_interruption_is_raised() -> None:
    """A step that was interrupted is taken again, and those behind it, too."""
    taken: list[str] = []

    def interrupted() -> None:
        taken.append("tried")
        if len(taken) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        completely([interrupted, lambda: taken.append("last")])
    assert taken == ["tried", "tried", "last"]


def test_another_thread_is_in_no_signal_handler() -> None:
    """Handlers run in the main thread only."""
    found: list[bool] = []
    with handler(lambda *_: found.append(in_signal_handler())) as interrupt:
        interrupt()
    thread = threading.Thread(target=lambda: found.append(in_signal_handler()))
    thread.start()
    thread.join()
    assert found == [True, False]


@pytest.mark.parametrize("where", ["end_cache", "put", "applied", "publish"])
def test_an_interrupted_publication_is_completed(
    settings: Any, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whichever step of it a handler interrupts, the generation is served and counted once."""
    from dynaconf_k8s_reload._dynaconf import state, takeover
    from dynaconf_k8s_reload._reload.generations import Generations
    from dynaconf_k8s_reload._reload.report import History

    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    child = settings.from_env("other")
    places = {"end_cache": state, "put": takeover, "applied": History, "publish": Generations}
    place: Any = places[where]
    name = "remember_built" if where == "put" else where
    real, calls = getattr(place, name), [0]

    def interrupted(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] == armed:
            if where == "publish":  # at its very end
                real(*args)
            raise KeyboardInterrupt
        return real(*args)

    armed = 0
    monkeypatch.setattr(place, name, interrupted)
    volume.write({"A": "2"})
    calls[0], armed = 0, 2 if where == "end_cache" else 1
    with pytest.raises(KeyboardInterrupt):
        reloader.reload()
    assert (settings.A, child.A, os.environ["A"]) == (2, 2, "2")
    assert reloader.status().generation == 2
    assert reloader.reload().outcome == "unchanged"
    volume.write({"A": "3"})
    assert reloader.reload().generation == 3
    assert (settings.A, child.A) == (3, 3)


def test_code_that_sets_without_pause_waits_in_the_end(
    settings: Any, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some attempts its values are taken over while it cannot set any."""
    from dynaconf_k8s_reload._reload import passing

    monkeypatch.setattr(passing, "REPLAYS", 0)
    volume.write({"A": "1"})
    settings.set("BY_CODE", 1)
    volume.write({"A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.A, settings.BY_CODE) == (2, 1)
