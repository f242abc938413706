"""The watching thread and the comparison, with scripted events and owners."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from dynaconf_k8s_reload._model.clock import monotonic
from dynaconf_k8s_reload._source import fingerprint as tokens
from dynaconf_k8s_reload._watch import Hints, Watch, Watcher
from dynaconf_k8s_reload._watch import session as sessions
from dynaconf_k8s_reload._watch import watch as pace
from dynaconf_k8s_reload._watch.events import Events
from dynaconf_k8s_reload._watch.watch import Backoff
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

LASTING = 0.3  # seconds of looking again after a hint


class Scripted(Events):
    """Events that come only when a test gives a hint."""

    def __init__(self, hint: Callable[[], object]) -> None:
        self.hint = hint
        self.covering = True
        self.looks = 0
        self.drops = 0
        self.closed = threading.Event()
        self.kept: set[str] = set()
        self.on_keep: Callable[[], object] = lambda: None

    def covers(self, path: str) -> bool:
        return self.covering

    def keep(self, paths: Iterable[str]) -> float:
        self.looks += 1
        self.kept = set(paths)
        self.on_keep()
        return float("inf")

    def drop(self) -> None:
        self.drops += 1

    def close(self) -> None:
        self.closed.set()

    def abandon(self) -> None:
        self.closed.set()


class Owner:
    """Reads tokens when told that they changed, and counts."""

    def __init__(self, *paths: Path) -> None:
        self.paths = [str(path) for path in paths]
        self.seen = self._tokens()
        self.reloads = self.looks = 0
        self.on_change: Callable[[], object] = lambda: None
        self.files: tuple[tokens.Token, tokens.Token] | None = None

    def _tokens(self) -> tuple[tokens.Token, ...]:
        return tuple(tokens.token(path) for path in self.paths)

    def changed(self) -> None:
        self.seen = self._tokens()
        self.reloads += 1
        self.on_change()

    def looked(self) -> None:
        self.looks += 1

    def watch(self, resync: float = 60.0, debounce: float = 0.2) -> Watch:
        return Watch(self.paths, weakref.ref(self), resync, debounce)


class Stage:
    """A watcher, and the events that it made.

    Args:
        lasting: for how many seconds it looks again after a hint.
    """

    def __init__(self, lasting: float = LASTING) -> None:
        self.made: list[Scripted] = []
        self.watcher = Watcher(events=self._make, backoff=lambda: Backoff(lasting))

    def _make(self, hint: Callable[[], object]) -> Events:
        self.made.append(Scripted(hint))
        return self.made[-1]

    @property
    def events(self) -> Scripted:
        return self.made[-1]

    def watching(self, volume: AtomicWriter, resync: float = 3600) -> Owner:
        """Give the owner of a watch on a volume with one key, which has come to rest."""
        volume.write({"KEY": "one"})
        owner = Owner(volume.directory)
        self.watcher.add(owner.watch(resync=resync))
        self.settle()
        return owner

    def settle(self) -> None:
        """Wait until the looks that follow a hint are over."""
        looks = -1

        def still() -> bool:
            nonlocal looks
            before, looks = looks, self.events.looks
            session = self.watcher._session
            assert session is not None
            tick.wait(4 * pace.LOOK_AGAIN_AT_MOST)
            return before == looks and session._wake > monotonic() + LASTING / 2

        tick = threading.Event()
        tick.wait(LASTING)
        eventually(still)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A watcher with scripted events and little patience, ended afterwards."""
    made = Stage()
    yield made
    made.watcher.close()


def plain(tmp_path: Path) -> Path:
    directory = tmp_path / "plain"
    directory.mkdir()
    (directory / "KEY").write_text("one")
    return directory


# the comparison, at times that the test names


def test_a_swap_is_applied_by_the_comparison_that_finds_it(volume: AtomicWriter) -> None:
    """An atomic swap needs no quiet: the first comparison reloads."""
    volume.write({"KEY": "one"})
    owner = Owner(volume.directory)
    watch = owner.watch()
    assert watch.compare(0.0) == float("inf")
    assert (owner.reloads, watch.moved) == (0, False)
    volume.write({"KEY": "two"})
    watch.compare(1.0)
    assert (owner.reloads, watch.moved) == (1, True)
    watch.compare(2.0)
    assert (owner.reloads, watch.moved) == (1, False)
    assert watch.checked_at is not None


def test_a_plain_directory_is_reloaded_once_it_has_been_quiet(tmp_path: Path) -> None:
    """Each edit of a plain directory begins the wait anew, and an edit taken back ends it."""
    directory = plain(tmp_path)
    owner = Owner(directory)
    watch = owner.watch(debounce=0.2)
    (directory / "KEY").write_text("two!")
    assert watch.compare(10.0) == pytest.approx(10.2)
    assert watch.compare(10.1) == pytest.approx(10.2)
    (directory / "OTHER").write_text("two")
    assert watch.compare(10.15) == pytest.approx(10.35)
    assert owner.reloads == 0
    assert watch.compare(10.4) == float("inf")
    assert owner.reloads == 1

    (directory / "THIRD").write_text("three")
    assert watch.compare(20.0) == pytest.approx(20.2)
    (directory / "THIRD").unlink()
    assert watch.compare(20.1) == float("inf")
    (directory / "THIRD").write_text("three")
    assert watch.compare(30.0) == pytest.approx(30.2)
    assert owner.reloads == 1


def test_a_plain_directory_that_is_never_quiet_is_reloaded_all_the_same(tmp_path: Path) -> None:
    """The wait for quiet ends after ten times the debounce, whatever is still being written."""
    directory = plain(tmp_path)
    owner = Owner(directory)
    watch = owner.watch(debounce=0.2)
    now = 100.0
    while not owner.reloads and now < 200.0:
        (directory / "KEY").write_text(f"{now:30}")
        os.utime(directory / "KEY", ns=(0, int(now * 1e9)))
        watch.compare(now)
        now += 0.1
    assert now == pytest.approx(102.1, abs=0.11)


def test_one_reload_is_made_for_all_mounts(volume: AtomicWriter, tmp_path: Path) -> None:
    """A swap beside an edit that is not quiet yet waits for it, so that both come at once."""
    volume.write({"KEY": "one"})
    directory = plain(tmp_path)
    owner = Owner(volume.directory, directory)
    watch = owner.watch()
    volume.write({"KEY": "two"})
    (directory / "KEY").write_text("changed")
    assert watch.compare(5.0) == pytest.approx(5.2)
    watch.compare(5.2)
    assert owner.reloads == 1


def test_while_an_owner_is_configured_it_is_left_alone(volume: AtomicWriter) -> None:
    """What was read of other mounts than the watch's is compared with nothing."""
    owner = Owner(volume.directory)
    watch = owner.watch()
    owner.seen = ()
    assert watch.compare(1.0) == 2.0
    assert owner.reloads == 0


# the thread


def test_the_first_wait_of_a_watch_ends() -> None:
    """However the clock ticks: Python 3.10 waits for ever on one new queue in 50,000."""
    rounds = 0

    def wait() -> None:
        nonlocal rounds
        while rounds < 300_000:
            hints = Hints()
            hints.begin()
            assert not hints.wait(0)
            rounds += 1

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    while thread.is_alive():
        before = rounds
        eventually(lambda before=before: rounds > before or not thread.is_alive())  # type: ignore[misc]
    assert rounds == 300_000


def test_a_hint_leads_to_a_comparison_at_once(stage: Stage, volume: AtomicWriter) -> None:
    """With an hour to the next resync, a hint alone brings the change."""
    owner = stage.watching(volume)
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: owner.reloads == 1)


def test_after_a_hint_it_looks_again(volume: AtomicWriter) -> None:
    """A change shortly after a hint needs no hint of its own."""
    volume.write({"KEY": "one"})
    owner, stage = Owner(volume.directory), Stage(lasting=60)
    stage.watcher.add(owner.watch(resync=3600))
    stage.events.hint()
    eventually(lambda: stage.events.looks > 10)
    volume.write({"KEY": "two"})
    eventually(lambda: owner.reloads == 1)
    assert stage.events.drops == 0
    stage.watcher.close()


def test_the_first_look_of_a_child_finds_its_own_thread_running(
    stage: Stage, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be over before whoever starts the thread goes on, and no other look need come soon."""
    owner, start, has_looked = Owner(volume.directory), threading.Thread.start, threading.Event()
    watch = owner.watch(resync=3600)
    modes: list[str] = []

    def looked() -> None:
        modes.append(stage.watcher.mode(watch))
        has_looked.set()

    def start_slowly(thread: threading.Thread) -> None:
        start(thread)
        assert has_looked.wait(10)

    stage.watcher.add(watch)
    stage.settle()
    monkeypatch.setattr(owner, "looked", looked)
    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    assert stage.watcher._session is not None
    stage.watcher._session.pid = -1  # as in a child
    stage.watcher.renew_after_fork()
    assert modes[0] == "events"
    stage.made[0].hint()  # ends the thread that a fork would have ended
    eventually(lambda: _threads() == 1)


def test_some_time_after_a_hint_there_is_rest(stage: Stage, volume: AtomicWriter) -> None:
    """It does not go on looking."""
    owner = Owner(volume.directory)
    stage.watcher.add(owner.watch(resync=3600))
    stage.events.hint()
    stage.settle()
    looks = stage.events.looks
    threading.Event().wait(LASTING)
    assert stage.events.looks == looks


def test_the_resync_finds_what_no_event_told(
    stage: Stage, volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """A change without an event is applied at the resync, and the events are made anew."""
    owner = stage.watching(volume, resync=0.5)
    volume.write({"KEY": "two"})
    eventually(lambda: owner.reloads == 1)
    eventually(lambda: stage.events.drops == 1)
    assert "came without an event" in logged.text


def test_events_are_not_blamed_for_what_came_before_them(
    stage: Stage, volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """A swap between the first look and the arming of the events does not make them anew."""
    owner = stage.watching(volume)
    stage.events.covering = False
    stage.events.hint()
    stage.settle()
    stage.events.on_keep = lambda: setattr(stage.events, "covering", True)
    volume.write({"KEY": "two"})
    eventually(lambda: owner.reloads == 1)
    stage.settle()
    assert stage.events.covering
    assert stage.events.drops == 0
    assert "came without an event" not in logged.text


def test_without_events_it_compares_every_second(stage: Stage, volume: AtomicWriter) -> None:
    """A mount for which no event comes is compared each second, whatever the resync."""
    volume.write({"KEY": "one"})
    owner = Owner(volume.directory)
    watch = owner.watch(resync=3600)
    stage.watcher.add(watch)
    stage.events.covering = False
    stage.settle()
    assert stage.watcher.mode(watch) == "polling"
    assert stage.watcher.mode(watch, str(volume.directory)) == "polling"
    volume.write({"KEY": "two"})
    eventually(lambda: owner.reloads == 1)
    assert stage.events.drops == 0


def test_a_status_right_after_the_start_knows_whether_events_come(
    stage: Stage, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks about a watch that has just begun waits until its events have been armed."""
    monkeypatch.setattr(sessions, "FIRST_LOOK_SECONDS", 10.0)
    volume.write({"KEY": "one"})
    owners = [Owner(volume.directory), Owner(volume.directory)]
    first, second = [owner.watch() for owner in owners]
    stage.watcher.add(first)
    stage.settle()
    slow = threading.Event()
    stage.events.covering = False
    stage.events.on_keep = lambda: setattr(stage.events, "covering", not slow.wait(0.2))
    stage.watcher.add(second)
    stage.watcher.prompt(second)
    assert stage.watcher.mode(second) == "events"
    slow.set()
    stage.watcher.remove(second)
    stage.watcher.prompt(second)  # which nothing will begin any more
    assert stage.watcher.mode(second) == "off"


def test_the_watching_thread_does_not_wait_for_itself(
    stage: Stage, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that asks for the status during the first comparison gets it at once."""
    monkeypatch.setattr(sessions, "FIRST_LOOK_SECONDS", 3600.0)
    volume.write({"KEY": "one"})
    owner = Owner(volume.directory)
    watch = owner.watch()
    begun: list[bool] = []

    def ask() -> None:
        stage.watcher.prompt(watch)
        begun.append(watch.begun.is_set())

    owner.on_change = ask
    volume.write({"KEY": "two"})
    stage.watcher.add(watch)
    eventually(lambda: begun)
    assert begun == [False]


def test_two_owners_share_one_source_and_one_thread(stage: Stage, volume: AtomicWriter) -> None:
    """Two watches have one source of events; it ends with the last of them."""
    volume.write({"KEY": "one"})
    owners = [Owner(volume.directory), Owner(volume.directory)]
    watches = [owner.watch() for owner in owners]
    for watch in watches:
        stage.watcher.add(watch)
    assert _threads() == 1
    assert [stage.watcher.mode(watch) for watch in watches] == ["events", "events"]
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: [owner.reloads for owner in owners] == [1, 1])
    assert stage.events.kept == {str(volume.directory)}
    stage.watcher.remove(watches[0], wait=2)
    stage.watcher.remove(watches[0], wait=2)
    assert [stage.watcher.mode(watch) for watch in watches] == ["off", "events"]
    assert not stage.events.closed.is_set()
    stage.watcher.remove(watches[1], wait=2)
    assert stage.watcher.mode(watches[1]) == "off"
    assert stage.events.closed.is_set()
    assert (_threads(), len(stage.made)) == (0, 1)


def test_a_removed_watch_is_compared_no_more(volume: AtomicWriter) -> None:
    """A look that had begun when the watch was removed does not reload."""
    owner = Owner(volume.directory)
    watch = owner.watch()
    Watcher(events=Scripted).remove(watch)
    volume.write({"KEY": "two"})
    watch.compare(0.0)
    assert owner.reloads == 0


def test_a_collected_owner_is_pruned_at_once_and_nothing_else(
    stage: Stage, volume: AtomicWriter
) -> None:
    """When an owner is collected the other's watch goes on; with the last the thread ends."""
    owner, other = Owner(volume.directory), Owner(volume.directory)
    told = threading.Event()
    other.on_change = told.set
    watch = other.watch(resync=3600)
    stage.watcher.add(owner.watch(resync=3600))
    stage.watcher.add(watch)
    stage.settle()
    del owner
    gc.collect()
    session = stage.watcher._session
    assert session is not None
    eventually(lambda: session.watches == [watch])
    volume.write({"KEY": "two"})
    stage.events.hint()
    assert told.wait(10)
    stage.settle()
    del other
    gc.collect()
    eventually(lambda: _threads() == 0)
    assert stage.events.closed.is_set()
    assert stage.watcher.mode(watch) == "off"
    assert watch.compare(0.0) == float("inf")


def test_an_owner_may_be_gone_before_it_is_watched(stage: Stage, volume: AtomicWriter) -> None:
    """A watch whose owner is gone ends the thread that was started for it."""
    watch = Owner(volume.directory).watch()
    gc.collect()
    stage.watcher.add(watch)
    eventually(lambda: _threads() == 0)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_nothing_that_is_raised_ends_the_watch(
    stage: Stage,
    volume: AtomicWriter,
    logged: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    """Whatever a reload raises is logged without its message, and the next change arrives."""
    owner = Owner(volume.directory)

    def fail() -> None:
        raise error("s3cret")

    owner.on_change = fail
    stage.watcher.add(owner.watch(resync=3600))
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: "failed and is made again" in logged.text)
    assert error.__name__ in logged.text
    assert "s3cret" not in logged.text
    owner.on_change = lambda: None
    volume.write({"KEY": "three"})
    stage.events.hint()
    eventually(lambda: owner.seen[0] == tokens.token(str(volume.directory)))


def test_not_even_the_watching_threads_own_work_ends_it(
    stage: Stage,
    volume: AtomicWriter,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
) -> None:
    """Where memory runs out between two comparisons, the thread rests for a second and goes on."""
    owner = Owner(volume.directory)
    watch = owner.watch(resync=3600)
    stage.watcher.add(watch)
    stage.settle()

    def fail(*_: object) -> bool:
        raise MemoryError("s3cret")

    with monkeypatch.context() as patched:
        patched.setattr(Watcher, "_goes_on", fail)
        stage.events.hint()
        eventually(lambda: "the watch failed and goes on: MemoryError" in logged.text)
    assert "s3cret" not in logged.text
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: owner.reloads == 1)
    assert stage.watcher.mode(watch) == "events"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_told_and_replaced(
    stage: Stage, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead thread shows as "off"; the next watch starts another one for all."""
    owner, other = Owner(volume.directory), Owner(volume.directory)
    watch = owner.watch(resync=3600)
    with monkeypatch.context() as patched:
        patched.setattr(Watcher, "_run", lambda *_: None)
        stage.watcher.add(watch)
        eventually(lambda: stage.watcher.mode(watch) == "off")
    assert stage.watcher.problem(watch) == "the watch has ended; start() revives it"
    stage.watcher.tend(watch)  # it is not for a question to revive it
    assert stage.watcher.mode(watch) == "off"
    stage.watcher.add(other.watch(resync=3600))
    assert stage.watcher.mode(watch) == "events"
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: (owner.reloads, other.reloads) == (1, 1))


def test_an_owner_may_stop_itself_while_it_reloads(stage: Stage, volume: AtomicWriter) -> None:
    """Removing a watch from within its own reload neither waits nor hangs."""
    owner = Owner(volume.directory)
    watch = owner.watch()
    took: list[float] = []

    def stop() -> None:
        started = time.monotonic()
        stage.watcher.remove(watch, wait=30)
        took.append(time.monotonic() - started)

    owner.on_change = stop
    stage.watcher.add(watch)
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: _threads() == 0)
    assert took[0] < 20  # of the 30 that it may wait


def test_removing_waits_for_a_reload_but_not_for_ever(stage: Stage, volume: AtomicWriter) -> None:
    """While a reload hangs, removing its watch waits as long as it was told to, and no longer."""
    owner, other = Owner(volume.directory), Owner(volume.directory)
    watch = owner.watch()
    inside, leave = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        leave.wait(30)

    owner.on_change = hang
    stage.watcher.add(watch)
    stage.watcher.add(other.watch())
    volume.write({"KEY": "two"})
    stage.events.hint()
    assert inside.wait(10)
    started = time.monotonic()
    stage.watcher.remove(watch, wait=0.2)
    assert 0.15 < time.monotonic() - started < 20
    stage.watcher.close()
    leave.set()
    eventually(lambda: _threads() == 0)


def test_a_thread_that_ends_is_no_obstacle_to_the_next(stage: Stage, volume: AtomicWriter) -> None:
    """While the last watch's thread still ends, another watch already has its own."""
    owner = Owner(volume.directory)
    inside, leave = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        leave.wait(30)

    owner.on_change = hang
    first = owner.watch()
    stage.watcher.add(first)
    volume.write({"KEY": "two"})
    stage.events.hint()
    assert inside.wait(10)
    stage.watcher.remove(first)
    other = Owner(volume.directory)
    stage.watcher.add(other.watch())
    volume.write({"KEY": "three"})
    stage.events.hint()
    eventually(lambda: other.reloads == 1)
    leave.set()
    eventually(lambda: _threads() == 1)
    assert [made.closed.is_set() for made in stage.made] == [True, False]


def test_starting_and_stopping_from_many_threads(stage: Stage, volume: AtomicWriter) -> None:
    """After any interleaving of starts and stops one thread watches what was added last."""
    owners = [Owner(volume.directory) for _ in range(4)]

    def work(owner: Owner) -> None:
        for _ in range(50):
            watch = owner.watch()
            stage.watcher.add(watch)
            stage.watcher.remove(watch, wait=2)

    threads = [threading.Thread(target=work, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = owners[0].watch()
    stage.watcher.add(last)
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: owners[0].reloads == 1)
    eventually(lambda: _threads() == 1)
    assert stage.watcher.mode(last) == "events"


def test_a_resync_of_any_length_can_be_slept(stage: Stage, volume: AtomicWriter) -> None:
    """More seconds than a lock can wait are slept in pieces."""
    owner = Owner(volume.directory)
    watch = owner.watch(resync=1e300)
    stage.watcher.add(watch)
    stage.settle()
    volume.write({"KEY": "two"})
    stage.events.hint()
    eventually(lambda: owner.reloads == 1)


def test_closing_twice_and_without_a_watch(caplog: pytest.LogCaptureFixture) -> None:
    """Closing what watches nothing does nothing, and says nothing."""
    caplog.set_level(logging.DEBUG)
    idle = Watcher(events=Scripted)
    idle.close()
    idle.close()
    idle.renew_after_fork()
    assert idle.mode(None) == "off"
    assert not caplog.records


def test_at_the_exit_the_watches_are_given_up_in_one_step(
    stage: Stage, volume: AtomicWriter
) -> None:
    """The thread drops who is gone from the same list, and must not put the others back."""
    owner, lock = Owner(volume.directory), cast("Any", stage.watcher.lock)
    stage.watcher.add(owner.watch())
    held: list[bool] = []

    class Noticing(sessions.Session):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "watches" and not value:
                held.append(lock._is_owned())
            super().__setattr__(name, value)

    session = stage.watcher._session
    assert session is not None
    session.__class__ = Noticing
    stage.watcher.close()
    assert held
    assert all(held)


def _threads() -> int:
    return sum(thread.name == "k8s-reload-watch" for thread in threading.enumerate())


def test_it_looks_soon_after_a_hint_and_then_ever_more_rarely() -> None:
    """More hints make the looking last; only after a rest does it begin anew."""
    backoff = Backoff()
    assert backoff.again(5.0, hinted=False) == pace.NEVER
    assert backoff.again(10.0, hinted=True) == 10.0 + pace.LOOK_AGAIN_AT_LEAST
    assert backoff.again(10.04, hinted=False) == pytest.approx(10.05)
    assert backoff.again(10.6, hinted=True) == 10.6 + pace.LOOK_AGAIN_AT_MOST
    assert backoff.again(11.29, hinted=False) == 11.29 + pace.LOOK_AGAIN_AT_MOST
    assert backoff.again(11.31, hinted=False) == pace.NEVER
    assert backoff.again(12.0, hinted=True) == 12.0 + pace.LOOK_AGAIN_AT_LEAST
