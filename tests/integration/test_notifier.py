"""Subscribers: who is told, in which order, how often, and what happens when one misbehaves."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from dynaconf import Dynaconf

from dynaconf_k8s_reload import Change, Changes, ConfigError, get_reloader
from dynaconf_k8s_reload._reload import event_loops, notifier
from dynaconf_k8s_reload._reload.notifier import Notifier
from dynaconf_k8s_reload._reload.stream import Stream
from dynaconf_k8s_reload._watch import Hints
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually


def modified(key: str, old: Any, new: Any) -> Changes:
    return Changes([Change(key, old, new, "modified")])


@pytest.fixture
def bell() -> Iterator[Notifier]:
    made = Notifier()
    yield made
    notifier._close(made._board)


class Blocking:
    """A subscriber that waits until it is let go, and remembers what it was told."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.told: list[Changes] = []

    def __call__(self, changes: Changes) -> None:
        self.told.append(changes)
        self.entered.set()
        assert self.go.wait(10)


def test_patterns_choose_what_a_subscriber_is_told(bell: Notifier) -> None:
    """Each is told the keys that its patterns match, in any case, and nothing where none does."""
    told: dict[str, list[Any]] = {"db": [], "all": [], "none": []}
    bell.subscribe("change", lambda c: told["db"].append(sorted(c)), ("db.*", "A"))
    bell.subscribe("change", lambda c: told["none"].append(sorted(c)), ("nothing",))
    bell.subscribe("change", lambda c: told["all"].append(sorted(c)), ())
    bell.publish("change", Changes(Change(k, 1, 2, "modified") for k in ("DB.X", "A", "B")))
    eventually(lambda: told["all"])
    assert told == {"db": [["A", "DB.X"]], "all": [["A", "B", "DB.X"]], "none": []}


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_no_thread_starts_subscribers_wait_and_that_is_told(
    bell: Notifier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """Neither subscribing nor publishing raises; one warning; all are told once it can start."""

    def refuse(thread: threading.Thread) -> None:
        raise error

    told: list[Changes] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        bell.subscribe("change", told.append, ())
        bell.publish("change", modified("A", 1, 2))
        bell.publish("change", modified("A", 2, 3))
        bell.tend()
        assert bell.problem.startswith(f"no thread can be started ({type(error).__name__})")
    assert [record.getMessage() for record in caplog.records] == [bell.problem]
    bell.tend()
    eventually(lambda: told)
    assert told == [modified("A", 1, 3)]
    assert bell.problem == ""


@pytest.mark.parametrize("raises", ["", "before", "after"])
def test_a_signal_handler_that_comes_while_the_thread_starts_leaves_one_thread(
    bell: Notifier, monkeypatch: pytest.MonkeyPatch, raises: str
) -> None:
    """One that publishes starts no second one, and one that raises does not prevent it."""
    start = threading.Thread.start
    started: list[threading.Thread] = []
    told: list[Changes] = []

    def start_interrupted(thread: threading.Thread) -> None:
        started.append(thread)
        if not raises:
            bell.publish("change", modified("A", 1, 2))
        if raises != "before":
            start(thread)
        if raises:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start_interrupted)
        with pytest.raises(KeyboardInterrupt) if raises else nullcontext():
            bell.subscribe("change", told.append, ())
    assert [thread.name for thread in started] == ["k8s-reload-notify"]
    bell.publish("change", modified("A", 2, 3))
    eventually(lambda: told and told[-1]["A"].new == 3)
    eventually(lambda: started[0].is_alive() == (not raises))


def test_an_interruption_on_the_way_to_the_lock_does_not_leave_it_held(
    bell: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A condition is entered in Python, where a signal handler may raise once it holds the lock."""
    told: list[Any] = []
    tell = told.append
    bell.subscribe("change", tell, ())
    bell.publish("change", modified("A", 1, 2))
    eventually(lambda: len(told) == 1)
    enter = threading.Condition.__enter__

    def interrupted(self: threading.Condition) -> bool:
        enter(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Condition, "__enter__", interrupted)
        bell.unsubscribe(tell)
        bell.subscribe("change", tell, ())
        bell.publish("change", modified("A", 2, 3))
    eventually(lambda: len(told) == 2)


def test_a_subscriber_that_takes_long_is_named(
    bell: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for it, so the status says so until it has ended."""
    blocking = Blocking()
    bell.subscribe("change", blocking, ())
    bell.publish("change", modified("A", 1, 2))
    assert blocking.entered.wait(10)
    monkeypatch.setattr(notifier, "LONG_SECONDS", 3600.0)
    assert bell.problem == ""
    monkeypatch.setattr(notifier, "LONG_SECONDS", 0.0)
    assert bell.problem.startswith("subscriber Blocking has been running for 0 s")
    blocking.go.set()
    eventually(lambda: bell.problem == "")


def test_a_thread_that_has_died_is_replaced(
    bell: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next news, or by whoever looks whether somebody waits for it."""
    told: list[Changes] = []
    with monkeypatch.context() as patched:
        patched.setattr(notifier, "_run", lambda board: None)
        bell.subscribe("change", told.append, ())
        eventually(lambda: not bell._board.runs)
        bell.publish("change", modified("A", 1, 2))
        eventually(lambda: not bell._board.runs)
    bell.tend()
    eventually(lambda: told == [modified("A", 1, 2)])


def test_subscribers_are_called_in_order_of_registration_in_one_thread(bell: Notifier) -> None:
    """One thread calls them, first registered first called, errors and changes alike."""
    calls: list[tuple[str, str]] = []

    def subscriber(name: str) -> Any:
        return lambda _: calls.append((name, threading.current_thread().name))

    for name in "abcd":
        bell.subscribe("change", subscriber(name), ())
    bell.publish("change", modified("A", 1, 2))
    eventually(lambda: len(calls) == 4)
    assert [name for name, _ in calls] == list("abcd")
    assert {thread for _, thread in calls} == {"k8s-reload-notify"}


def test_what_happens_while_a_subscriber_blocks_is_merged(bell: Notifier) -> None:
    """A pending call has the old of the first and the new of the last; what cancels is dropped."""
    blocking = Blocking()
    told: list[Any] = []
    bell.subscribe("change", blocking, ())
    bell.subscribe("change", told.append, ())
    bell.publish("change", modified("A", 0, 1))
    assert blocking.entered.wait(10)
    for old, new in ((1, 2), (2, 3), (3, 4)):
        bell.publish("change", modified("A", old, new))
    bell.publish("change", modified("B", 1, 2))
    bell.publish("change", modified("B", 2, 1))
    blocking.go.set()
    eventually(lambda: len(blocking.told) == 2 and told)
    assert (blocking.told[1]["A"].old, blocking.told[1]["A"].new) == (1, 4)
    assert sorted(blocking.told[1]) == ["A"]
    assert (told[0]["A"].old, told[0]["A"].new) == (0, 4)


def test_changes_that_cancel_out_call_nobody(bell: Notifier) -> None:
    """A value that went and came back while a subscriber blocked is no news to it."""
    blocking, done = Blocking(), threading.Event()
    bell.subscribe("change", blocking, ("A",))
    bell.subscribe("change", lambda _: done.set(), ("LAST",))
    bell.publish("change", modified("A", 0, 1))
    assert blocking.entered.wait(10)
    bell.publish("change", modified("A", 1, 2))
    bell.publish("change", modified("A", 2, 1))
    bell.publish("change", modified("LAST", 0, 1))
    blocking.go.set()
    assert done.wait(10)
    assert len(blocking.told) == 1


def test_what_dynaconf_raises_is_placed_in_the_subscriber(
    bell: Notifier, logged: pytest.LogCaptureFixture
) -> None:
    """A setting that is gone is looked for where the application asks for it."""
    settings = Dynaconf()

    def asking(_: Any) -> None:
        settings.GONE  # noqa: B018 -- because it is the question that raises

    bell.subscribe("change", asking, ())
    bell.publish("change", modified("A", 1, 2))
    eventually(lambda: "asking failed" in logged.text)
    line = inspect.getsourcelines(asking)[1] + 1
    assert f"asking failed: AttributeError at {__file__}:{line} in asking" in logged.text


@pytest.mark.parametrize("error", [ValueError("hunter2"), SystemExit("hunter2")])
def test_a_subscriber_that_raises_stops_nobody(
    bell: Notifier, logged: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """It is reported by name, type and place, without its message; the others are told."""
    told: list[Any] = []

    def failing(_: Any) -> None:
        raise error

    bell.subscribe("change", failing, ())
    bell.subscribe("change", functools.partial(failing), ())
    bell.subscribe("change", told.append, ())
    for count in range(2):
        bell.publish("change", modified("A", count, count + 1))
        eventually(lambda: len(told) == count + 1)  # noqa: B023 -- because it is called within the loop
    lines = [r.getMessage() for r in logged.records if r.levelno == logging.ERROR]
    assert len(lines) == 4
    assert "failing failed: " + type(error).__name__ in lines[0]
    assert "subscriber partial failed" in lines[1]
    assert "hunter2" not in "".join(lines)


def test_a_subscriber_may_reload_subscribe_and_unsubscribe(
    volume: AtomicWriter, settings: Any
) -> None:
    """All of that works within a call, and what it causes is told in another call."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    told: list[Any] = []
    later: list[Any] = []

    def subscriber(changes: Changes) -> None:
        told.append((changes["A"].new, settings.A))
        if len(told) == 1:
            volume.write({"A": "3"})
            assert reloader.reload().outcome == "applied"
            reloader.on_change()(later.append)
        elif len(told) == 2:
            reloader.unsubscribe(subscriber)
            volume.write({"A": "4"})
            reloader.reload()

    reloader.on_change("A")(subscriber)
    volume.write({"A": "2"})
    reloader.reload()
    eventually(lambda: later)
    assert told == [(2, 2), (3, 3)]
    assert (later[0]["A"].old, later[0]["A"].new) == (3, 4)


def test_unsubscribed_while_news_is_pending_nobody_is_called(bell: Notifier) -> None:
    """What a subscriber has not been told yet, it never is."""
    blocking, done = Blocking(), threading.Event()
    told: list[Any] = []
    bell.subscribe("change", blocking, ())
    bell.subscribe("change", told.append, ())
    bell.subscribe("change", lambda _: done.set(), ())
    bell.publish("change", modified("A", 0, 1))
    assert blocking.entered.wait(10)
    bell.unsubscribe(told.append)
    blocking.go.set()
    assert done.wait(10)
    assert told == []


class Service:
    """Something with a method that subscribes."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def changed(self, changes: Any, *_: Any) -> None:
        self.told.append(changes)


def test_a_bound_method_does_not_keep_its_object_alive(
    volume: AtomicWriter, settings: Any, bell: Notifier
) -> None:
    """A dead object's method is called no more, be it subscriber or check, and is forgotten."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    services = [Service()]
    reloader.on_change()(services[0].changed)
    reloader.on_validate(services[0].changed)
    bell.subscribe("change", services[0].changed, ())
    volume.write({"A": "2"})
    reloader.reload()
    eventually(lambda: len(services[0].told) == 2)
    reference = weakref.ref(services[0])
    services.clear()
    eventually(lambda: reference() is None, collecting=True)  # its call may not be over yet
    volume.write({"A": "3"})
    assert reloader.reload().outcome == "applied"
    done = threading.Event()
    bell.subscribe("change", lambda _: done.set(), ())
    bell.publish("change", modified("A", 1, 2))
    assert done.wait(10)
    assert len(bell._board.subscribers) == 1
    reloader.unsubscribe(print)
    assert len(reloader.generations.checks) == 0


def has_told(bell: Notifier) -> tuple[list[Any], threading.Thread]:
    """Give what a subscriber has been told, and the thread that told it."""
    told: list[Any] = []
    bell.subscribe("change", told.append, ())
    bell.publish("change", modified("A", 0, 1))
    eventually(lambda: told)
    thread = bell._board.thread
    assert thread is not None
    return told, thread


@pytest.mark.parametrize("forked", [False, True])
def test_the_thread_ends_with_its_notifier(forked: bool) -> None:
    """A notifier that is collected leaves no thread, in a forked child neither."""
    bell = Notifier()
    if forked:
        bell.renew_after_fork()
    _, thread = has_told(bell)
    del bell
    eventually(lambda: not thread.is_alive(), collecting=True)


def test_a_thread_that_was_taken_for_dead_ends(
    bell: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to Python 3.10, a thread is if a signal handler raises while it is asked."""
    monkeypatch.setattr(notifier, "LOOK_EVERY", 0.01)
    told, first = has_told(bell)
    with monkeypatch.context() as patch:
        patch.setattr(first, "is_alive", lambda: False)
        bell.publish("change", modified("A", 1, 2))
    assert bell._board.thread is not first
    eventually(lambda: len(told) > 1 and not first.is_alive())


def test_the_thread_ends_though_it_is_just_about_to_wait() -> None:
    """The garbage collector may come once the thread has looked for news and before it waits."""
    bell, blocking = Notifier(), Blocking()
    doomed: list[Notifier] = []
    begins = (threading.Condition.wait.__code__, Hints.wait.__code__)

    def collect(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code in begins:
            doomed.clear()

    threading.setprofile(collect)
    try:
        bell.subscribe("change", blocking, ())
    finally:
        threading.setprofile(None)
    bell.publish("change", modified("A", 0, 1))
    assert blocking.entered.wait(10)
    thread = bell._board.thread
    assert thread is not None
    doomed.append(bell)
    del bell
    blocking.go.set()
    thread.join(10)
    assert not thread.is_alive()
    assert doomed == []


def test_a_notifier_that_rests_tells_everybody_first_and_wakes_for_news() -> None:
    """Its thread ends once all has been told; news or a subscriber starts another."""
    bell, blocking = Notifier(), Blocking()
    told: list[Any] = []
    bell.subscribe("change", blocking, ())
    bell.subscribe("change", told.append, ())
    bell.publish("change", modified("A", 0, 1))
    assert blocking.entered.wait(10)
    thread = bell._board.thread
    bell.rest()
    blocking.go.set()
    assert thread is not None
    thread.join(10)
    assert len(told) == 1
    assert bell._board.thread is None
    bell.publish("change", modified("A", 1, 2))
    eventually(lambda: len(told) == 2)
    notifier._close(bell._board)


def test_a_stopped_reloader_leaves_no_thread(volume: AtomicWriter, settings: Any) -> None:
    """After ``stop()`` no thread is left, and a later ``reload()`` still tells subscribers."""
    before = set(threading.enumerate())
    volume.write({"A": "1"})
    told: list[Any] = []
    with get_reloader(settings) as reloader:
        reloader.on_change()(told.append)
        assert reloader.status().watching != "off"
    eventually(lambda: set(threading.enumerate()) == before)
    volume.write({"A": "2"})
    reloader.reload()
    eventually(lambda: told)
    reloader.stop()
    eventually(lambda: set(threading.enumerate()) == before)


def test_the_notifier_of_a_forked_child_starts_afresh(bell: Notifier) -> None:
    """Subscribers stay, with fresh locks and a thread of its own; here without a fork."""
    told: list[Any] = []
    bell.subscribe("change", told.append, ())
    board = bell._board
    with board.lock:  # as if the thread that held it had stayed behind
        bell.renew_after_fork()
        bell.publish("change", modified("A", 0, 1))
        eventually(lambda: told)
    notifier._close(board)
    assert board.thread is not None
    board.thread.join(10)


def test_closing_waits_for_no_lock(bell: Notifier) -> None:
    """The garbage collector may close a notifier while its lock is held."""
    with bell._board.lock:
        thread = threading.Thread(target=notifier._close, args=(bell._board,))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()


def test_async_subscribers_run_on_their_loop(
    bell: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ``async def``, a partial of one and an object with one run where they were registered."""
    monkeypatch.setattr(event_loops, "LOOP_CHECK_SECONDS", 0.0001)
    told: list[Any] = []

    async def main() -> None:
        loop, looked = asyncio.get_running_loop(), threading.Event()
        monkeypatch.setattr(loop, "is_closed", looked.set)  # which gives None: it is open

        async def subscriber(name: str, changes: Changes) -> None:
            await until(looked.is_set)  # the notifier has waited for longer than one look
            told.append((name, changes["A"].new, asyncio.get_running_loop() is loop))

        class Callable:
            async def __call__(self, changes: Changes) -> None:
                await subscriber("object", changes)

        async def plain(changes: Changes) -> None:
            await subscriber("plain", changes)

        bell.subscribe("change", plain, ())
        bell.subscribe("change", functools.partial(subscriber, "partial"), ())
        bell.subscribe("change", Callable(), ())
        bell.publish("change", modified("A", 0, 1))
        await until(lambda: len(told) == 3)

    asyncio.run(asyncio.wait_for(main(), 10))
    assert told == [("plain", 1, True), ("partial", 1, True), ("object", 1, True)]


def test_async_subscribers_need_a_running_loop(bell: Notifier, settings: Any) -> None:
    """Registered outside of a coroutine they are refused with the remedy."""

    async def subscriber(_: Any) -> None: ...

    with pytest.raises(ConfigError, match="register an async function in a coroutine"):
        bell.subscribe("change", subscriber, ())
    with pytest.raises(ConfigError, match="iterate over changes"):
        get_reloader(settings).changes()


def test_an_async_subscriber_of_a_closed_loop_is_reported(
    bell: Notifier, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that is closed, before or while the coroutine runs, is an error of that subscriber."""
    monkeypatch.setattr(event_loops, "LOOP_CHECK_SECONDS", 0.01)
    told: list[Any] = []
    entered = threading.Event()

    async def waiting(_: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    async def failing(_: Any) -> None:
        raise ValueError("hunter2")

    async def register() -> None:
        bell.subscribe("change", waiting, ())
        bell.subscribe("change", failing, ())

    loop = asyncio.new_event_loop()
    loop.run_until_complete(register())
    bell.subscribe("change", told.append, ())
    bell.publish("change", modified("A", 0, 1))
    loop.run_until_complete(until(entered.is_set))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the task that never ends is what this is about
        tasks = asyncio.all_tasks(loop)
        loop.close()
        eventually(lambda: told)
        bell.publish("change", modified("A", 1, 2))
        eventually(lambda: len(told) == 2)
        for task in tasks:
            task.get_coro().close()
            task._log_destroy_pending = False  # type: ignore[attr-defined] # reason: untyped
        del tasks, task
        gc.collect()
    lines = [r.getMessage() for r in logged.records if "failed: RuntimeError" in r.getMessage()]
    assert len(lines) >= 3
    assert "hunter2" not in logged.text


async def until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110 -- because it is another thread that is awaited
        await asyncio.sleep(0.002)


def test_an_async_subscriber_that_raises_is_reported(
    bell: Notifier, logged: pytest.LogCaptureFixture
) -> None:
    """Its type and place are logged, and a cancelled one is an error like any other."""
    told: list[Any] = []

    async def main() -> None:
        async def failing(_: Any) -> None:
            raise ValueError("hunter2")

        async def cancelled(_: Any) -> None:
            raise asyncio.CancelledError

        bell.subscribe("change", failing, ())
        bell.subscribe("change", cancelled, ())
        bell.subscribe("change", told.append, ())
        bell.publish("change", modified("A", 0, 1))
        await until(lambda: told)

    asyncio.run(asyncio.wait_for(main(), 10))
    assert "failing failed: ValueError at " in logged.text
    assert "cancelled failed: CancelledError" in logged.text
    assert "hunter2" not in logged.text


def test_changes_are_iterated_asynchronously(volume: AtomicWriter, settings: Any) -> None:
    """``async for`` gives each generation's changes; while nobody waits they are merged."""
    volume.write({"A": "0", "B": "0"})
    reloader = get_reloader(settings)
    told: list[Any] = []

    def update(a: int) -> None:
        volume.write({"A": str(a), "B": "0"})
        assert reloader.reload().outcome == "applied"

    async def main() -> None:
        stream = reloader.changes("A")
        assert aiter_is_self(stream)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, update, 1)
        async for changes in stream:
            told.append((changes["A"].old, changes["A"].new))
            if len(told) == 1:
                for count in (2, 3):
                    await loop.run_in_executor(None, update, count)
                    await until(lambda n=count: newest(stream) == n)
            else:
                break
        await loop.run_in_executor(None, update, 4)
        await until(lambda: stream._mailbox.changes)
        await loop.run_in_executor(None, update, 3)
        await until(lambda: not stream._mailbox.changes)
        assert not stream._mailbox.arrived.is_set()
        await stream.aclose()

    asyncio.run(asyncio.wait_for(main(), 20))
    assert told == [(0, 1), (1, 3)]
    assert reloader._notifier._board.subscribers == ()


def newest(stream: Stream) -> Any:
    changes = stream._mailbox.changes
    return changes["A"].new if "A" in changes else None


def aiter_is_self(stream: Stream) -> bool:
    return stream.__aiter__() is stream


def test_who_unsubscribes_while_news_is_given_takes_it_from_nobody(bell: Notifier) -> None:
    """A signal handler may do so in the midst of it; those behind it are told."""
    told: list[str] = []

    class Dropping(Changes):
        def matching(self, patterns: Any) -> Changes:
            bell.unsubscribe(first)
            return super().matching(patterns)

    def first(_: Changes) -> None:
        told.append("first")

    bell.subscribe("change", first, ("A",))
    bell.subscribe("change", lambda _: told.append("second"), ("A",))
    bell.subscribe("change", lambda _: told.append("third"), ("A",))
    bell.publish("change", Dropping([Change("A", 1, 2, "modified")]))
    eventually(lambda: told == ["second", "third"])


def test_a_stream_that_is_dropped_unsubscribes(bell: Notifier) -> None:
    """An iterator that nobody holds any more is told nothing."""

    async def main() -> None:
        stream = Stream(bell, ())
        [subscriber] = bell._board.subscribers
        del stream
        gc.collect()
        assert subscriber.reference() is None

    asyncio.run(main())


def test_a_stream_may_be_dropped_while_news_is_given(bell: Notifier) -> None:
    """The garbage collector may do so in any thread, whatever that holds: it waits for no lock."""

    async def main() -> None:
        streams = [Stream(bell, ())]
        dropping = threading.Thread(target=streams.clear)
        with bell._board.lock:
            dropping.start()
            dropping.join(10)
            assert not dropping.is_alive()

    asyncio.run(main())


def test_streams_that_are_dropped_do_not_pile_up(bell: Notifier) -> None:
    """They are forgotten without any news: a web application may make one for each request."""

    async def main() -> None:
        for _ in range(10):
            Stream(bell, ())
            gc.collect()
        assert len(bell._board.subscribers) == 1  # the last one, until another is made

    asyncio.run(main())
