"""One generation within one context: a thread, a task, a greenlet, a function's call."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from dynaconf_k8s_reload import ConfigError, Reloader, get_reloader
from dynaconf_k8s_reload._reload.pin import keep, keep_async
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


@pytest.fixture
def reloader(volume: AtomicWriter, settings: Any) -> Reloader:
    """Follows `volume`, which has N=1, when told to."""
    volume.write({"N": "1"})
    return get_reloader(settings)


@pytest.fixture
def publish(volume: AtomicWriter, reloader: Reloader) -> Callable[[int], None]:
    """Gives the next generation another N."""

    def write(number: int) -> None:
        volume.write({"N": str(number)})
        assert reloader.reload().outcome == "applied"

    return write


def test_snapshots_within_a_pin_are_one(
    reloader: Reloader, settings: Any, publish: Callable[[int], None]
) -> None:
    """The generation of the beginning stays, whatever is published; afterwards it is the newest."""
    with reloader.pin() as pinned:
        publish(2)
        assert reloader.snapshot() is pinned
        assert reloader.snapshot() is pinned
        assert (pinned.N, settings.N) == (1, 2)
    assert reloader.snapshot().N == 2


def test_a_pin_ends_with_an_exception(reloader: Reloader, publish: Callable[[int], None]) -> None:
    """What raises within the block leaves it pinned no longer."""

    @reloader.pin()
    def fail() -> None:
        publish(2)
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert reloader.snapshot().N == 2


def test_a_pin_within_a_pin_keeps_the_outer_generation(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """A decorated function that a pinned request calls sees what the request sees."""
    pin = reloader.pin()
    with pin as outer:
        publish(2)
        with pin as inner, reloader.pin():
            publish(3)
            assert reloader.snapshot() is inner is outer
        assert reloader.snapshot() is outer
    assert reloader.snapshot().N == 3


def test_pins_of_two_reloaders_are_independent(
    volume: AtomicWriter, reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """A pin keeps its own reloader's generation, and lets another's go on."""
    other = get_reloader(make_settings(volume.directory, k8s_watch=False))
    with reloader.pin():
        publish(2)
        other.reload()
        assert (reloader.snapshot().N, other.snapshot().N) == (1, 2)
        with other.pin():
            publish(3)
            other.reload()
            assert (reloader.snapshot().N, other.snapshot().N) == (1, 2)
        assert (reloader.snapshot().N, other.snapshot().N) == (1, 3)
    assert (reloader.snapshot().N, other.snapshot().N) == (3, 3)


def test_another_thread_is_not_pinned(reloader: Reloader, publish: Callable[[int], None]) -> None:
    """A thread has a context of its own, unless it is given a copy of this one."""
    with ThreadPoolExecutor(1) as pool, reloader.pin():
        publish(2)
        assert pool.submit(lambda: reloader.snapshot().N).result() == 2
        context = contextvars.copy_context()
        assert pool.submit(context.run, lambda: reloader.snapshot().N).result() == 1


def test_tasks_and_their_threads_are_pinned_each_for_itself(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """A task keeps its pin over each await, its children and `to_thread` have it too."""

    async def number() -> int:
        return int(reloader.snapshot().N)

    async def request(began: asyncio.Event, go_on: asyncio.Event) -> list[int]:
        with reloader.pin() as pinned:
            began.set()
            await go_on.wait()
            in_thread = await asyncio.to_thread(lambda: reloader.snapshot().N)
            return [pinned.N, await number(), await asyncio.create_task(number()), in_thread]

    async def main() -> list[list[int]]:
        go_on = asyncio.Event()
        tasks = []
        for generation in (1, 2, 3):
            if generation > 1:
                publish(generation)
            began = asyncio.Event()
            tasks.append(asyncio.create_task(request(began, go_on)))
            await began.wait()
        go_on.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [[1] * 4, [2] * 4, [3] * 4]


GREENLETS = """
import gevent
from dynaconf import Dynaconf
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
import sys

volume = AtomicWriter(sys.argv[1])
volume.write({"N": "1"})
settings = Dynaconf(
    loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[sys.argv[1]], k8s_watch=False
)
reloader = get_reloader(settings)
seen = []

def request():
    with reloader.pin():
        first = reloader.snapshot().N
        gevent.sleep(0)
        seen.append((first, reloader.snapshot().N))

first = gevent.spawn(request)
gevent.sleep(0)
volume.write({"N": "2"})
assert reloader.reload().outcome == "applied"
second = gevent.spawn(request)
gevent.joinall([first, second], raise_error=True)
assert seen == [(1, 1), (2, 2)], seen
assert reloader.snapshot().N == 2
"""


def test_greenlets_are_pinned_each_for_itself(volume: AtomicWriter) -> None:
    """Two of gevent's greenlets of one thread hold a generation each."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    arguments = [sys.executable, "-c", GREENLETS, str(volume.directory)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_decorated_function_is_pinned(reloader: Reloader, publish: Callable[[int], None]) -> None:
    """Each call sees one generation, the newest of its beginning; its name and result stay."""

    @reloader.pin()
    def task(number: int, *, twice: bool = False) -> tuple[int, int]:
        """Do something."""
        before = reloader.snapshot().N
        publish(number)
        return before, reloader.snapshot().N * (2 if twice else 1)

    assert task(2) == (1, 1)
    assert task(3, twice=True) == (2, 4)
    assert reloader.snapshot().N == 3
    assert (task.__name__, task.__doc__) == ("task", "Do something.")


def test_a_decorated_coroutine_function_is_pinned(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """The pin lasts until the coroutine has ended, not until it has been made."""

    @reloader.pin()
    async def view(number: int) -> list[int]:
        before = reloader.snapshot().N
        await asyncio.sleep(0)
        publish(number)
        return [before, reloader.snapshot().N]

    assert inspect.iscoroutinefunction(view)
    assert asyncio.run(view(2)) == [1, 1]
    assert asyncio.run(view(3)) == [2, 2]


def test_one_decorated_function_serves_many_threads(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """Calls at the same time hold a generation each, though they share the decorator."""
    entered, leave = threading.Barrier(2, timeout=30), threading.Event()

    @reloader.pin()
    def task() -> list[int]:
        before = reloader.snapshot().N
        entered.wait()
        leave.wait(30)
        return [before, reloader.snapshot().N]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(task)
        entered.wait()
        publish(2)
        second = pool.submit(task)
        entered.wait()
        publish(3)
        leave.set()
        assert (first.result(), second.result()) == ([1, 1], [2, 2])


def test_a_generator_cannot_be_decorated(reloader: Reloader) -> None:
    """It would run in the context of whoever asks for an item; the error says what to write."""

    def items() -> Iterator[int]:
        yield 1

    async def more() -> AsyncIterator[int]:
        yield 1

    for function in (items, more):
        with pytest.raises(
            ConfigError, match=r"cannot decorate the generator .*with reloader\.pin\(\)"
        ):
            reloader.pin()(function)


def test_items_that_are_made_later_keep_the_pin(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """A streamed answer is of its request's generation, and pins nothing between two items."""

    def numbers() -> Iterator[int]:
        for number in (2, 3):
            yield int(reloader.snapshot().N)
            publish(number)

    async def numbers_later() -> AsyncGenerator[int, None]:
        for number in numbers():
            yield number

    with reloader.pin():
        items = keep(numbers())
    seen = [(item, reloader.snapshot().N) for item in items]
    assert seen == [(1, 1), (1, 2)]

    async def later() -> list[tuple[int, int]]:
        with reloader.pin():
            items = keep_async(numbers_later())
        return [(item, reloader.snapshot().N) async for item in items]

    assert asyncio.run(later()) == [(3, 3), (3, 2)]


def test_a_block_of_a_generator_s_own_ends_no_pin_of_its_request(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """It is left while a later item is made, and the rest of the answer is the request's still."""

    def numbers() -> Iterator[int]:
        with reloader.pin():
            yield int(reloader.snapshot().N)
        yield int(reloader.snapshot().N)

    async def numbers_later() -> AsyncGenerator[int, None]:
        for number in numbers():
            yield number

    async def later() -> list[int]:
        with reloader.pin():
            items = keep_async(numbers_later())
        first = await anext(items)
        publish(3)
        return [first, *[item async for item in items]]

    with reloader.pin():
        items = keep(numbers())
    first = next(items)
    publish(2)
    assert [first, *items] == [1, 1]
    assert asyncio.run(later()) == [2, 2]
    assert reloader.snapshot().N == 3


def test_items_that_nobody_reads_on_are_closed_with_the_pin(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """What a generator does at its end belongs to the request, on an event loop too."""
    closed: list[int] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(reloader.snapshot().N)

    async def leave() -> int:
        with reloader.pin():
            items = keep_async(numbers())
        first = await anext(items)
        publish(2)
        await items.aclose()
        return first

    assert asyncio.run(leave()) == 1
    assert closed == [1]
    assert reloader.snapshot().N == 2


def test_a_block_that_is_left_in_a_copy_of_its_context(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """A framework may run the end of a block in another thread: nothing raises, nothing stays."""
    pin = reloader.pin()
    entered, outside = contextvars.copy_context(), contextvars.copy_context()
    entered.run(pin.__enter__)
    publish(2)
    outside.run(pin.__exit__, None, None, None)
    assert entered.run(lambda: reloader.snapshot().N) == 1
    assert outside.run(lambda: reloader.snapshot().N) == 2


def test_a_long_request_holds_its_own_generation_only(
    reloader: Reloader, publish: Callable[[int], None]
) -> None:
    """One that outlives ten generations keeps its snapshot; the others' are collected."""
    others = []
    with reloader.pin() as mine:
        own = weakref.ref(mine)
        for number in range(2, 13):
            publish(number)
            with ThreadPoolExecutor(1) as pool:
                others.append(weakref.ref(pool.submit(reloader.snapshot).result()))
        del mine
        gc.collect()
        assert reloader.snapshot() is own()
        assert [other() for other in others[:-1]] == [None] * 10
    gc.collect()
    assert own() is None


def test_requests_of_one_generation_share_its_snapshot(reloader: Reloader) -> None:
    """However many are under way, a generation is copied once."""

    @reloader.pin()
    def request() -> int:
        return id(reloader.snapshot())

    with ThreadPoolExecutor(8) as pool:
        assert len({pool.submit(request).result() for _ in range(50)}) == 1


def test_subscribers_are_not_pinned(
    volume: AtomicWriter, publish: Callable[[int], None], settings: Any
) -> None:
    """Their thread may be started within a pin, and still sees each new generation."""
    reloader, seen = get_reloader(settings), []
    with reloader.pin():
        reloader.on_change("N")(lambda changes: seen.append(reloader.snapshot().N))
        publish(2)
    eventually(lambda: seen == [2])
    publish(3)
    eventually(lambda: seen == [2, 3])


def test_a_pin_costs_a_few_microseconds(reloader: Reloader) -> None:
    """Entering, two snapshots and leaving take less than five context managers that do nothing.

    They are what 5 µs are on the machine of the documents' figures.
    """

    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    def without() -> None:
        with nothing():
            pass

    def pinned() -> None:
        with reloader.pin():
            reloader.snapshot()
            reloader.snapshot()

    def cost(function: Callable[[], None], number: int = 20_000) -> float:
        began = time.process_time()
        for _ in range(number):
            function()
        return (time.process_time() - began) / number

    if "coverage" in sys.modules:
        pytest.skip("coverage takes longer than what it measures")
    costs = [(cost(pinned), cost(without)) for _ in range(5)]
    pin, context = map(min, zip(*costs, strict=True))
    print(f"{pin * 1e6:.2f} µs a pin, {pin / context:.1f} context managers")
    assert pin < 5 * context


UNSEEN = """
import ctypes, os, sys, time
from dynaconf import Dynaconf
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._watch import WATCHER
from dynaconf_k8s_reload.testing import AtomicWriter

volume = AtomicWriter(sys.argv[1])
volume.write({"N": "1"})
settings = Dynaconf(loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[sys.argv[1]])
reloader = get_reloader(settings)
# CPython's child is lost if a thread wants its lock meanwhile: no look may be due.
while WATCHER._session._wake < time.monotonic() + 0.5:
    time.sleep(0.01)
time.sleep(0.25)
if ctypes.PyDLL(None).fork() == 0:
    with reloader.pin() as pinned:
        assert pinned.N == 1
    volume.write({"N": "2"})
    deadline = time.monotonic() + 30
    while settings.N != 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os._exit(settings.N)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_pin_notices_a_fork_that_python_did_not_see(volume: AtomicWriter) -> None:
    """A worker whose first use of the settings is a pinned request follows from then on."""
    arguments = [sys.executable, "-c", UNSEEN, str(volume.directory)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "")
