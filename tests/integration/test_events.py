"""Events from watchdog: real inotify where it can be, a stand-in where it must fail."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from watchdog import observers
from watchdog.events import FileSystemEventHandler
from watchdog.observers import polling
from watchdog.observers.api import EventEmitter

from dynaconf_k8s_reload._watch import events as module
from dynaconf_k8s_reload._watch.events import Events
from dynaconf_k8s_reload._watch.observer import Handler, close_what_is_never_read, stop
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, open_descriptors

NEVER = float("inf")


class Counter:
    """Counts hints."""

    def __init__(self) -> None:
        self.hints = 0

    def give(self) -> None:
        self.hints += 1


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def events(counter: Counter) -> Iterator[Events]:
    """watchdog's events, closed afterwards."""
    made = Events(counter.give)
    yield made
    made.close()


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(counter: Counter, clock: Clock) -> Iterator[Events]:
    """Events by a clock that a test moves, closed afterwards."""
    made = Events(counter.give, clock=clock)
    yield made
    made.close()


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have every start of an observer fail."""

    def start(self: object) -> None:
        raise error

    monkeypatch.setattr(observers.Observer, "start", start)


def rest(counter: Counter) -> int:
    """Give the count once no hint has come for a while."""
    tick = threading.Event()
    before = -1
    while before != counter.hints:
        before = counter.hints
        tick.wait(0.7)
    return before


def test_a_swap_gives_a_hint_and_reading_gives_none(
    events: Events, counter: Counter, volume: AtomicWriter
) -> None:
    """Writing in either kind of directory is news; listing and reading it is not."""
    volume.write({"KEY": "one"})
    path = str(volume.directory)
    assert not events.covers(path)
    assert events.keep({path}) == NEVER
    assert events.covers(path)
    volume.write({"KEY": "two"})
    eventually(lambda: counter.hints)
    before = rest(counter)
    for _ in range(20):
        assert volume.payload == {"KEY": b"two"}
        assert os.listdir(path)
        (volume.directory / "KEY").read_text()
    assert rest(counter) == before


def test_a_swap_is_not_held_back_by_half_a_move(
    events: Events, volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubelet's rename is one event, since watchdog waits for the second of two."""
    volume.write({"KEY": "one"})
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a").touch()
    told: list[tuple[str, str]] = []

    def dispatch(self: Handler, event: Any) -> None:
        told.append((event.event_type, os.path.basename(event.dest_path or event.src_path)))

    monkeypatch.setattr(Handler, "dispatch", dispatch)
    assert events.keep({str(volume.directory), str(plain)}) == NEVER
    volume.write({"KEY": "two"})
    (plain / "a").rename(plain / "b")
    eventually(lambda: ("created", "..data") in told and ("moved", "b") in told)
    assert ("moved", "..data") not in told


def test_an_event_that_arrives_while_stopping_is_not_an_error(
    volume: AtomicWriter, caplog: pytest.LogCaptureFixture
) -> None:
    """watchdog logs an ERROR for it, which an error tracker would report: not while we stop it."""
    observer = observers.Observer()
    observer.schedule(FileSystemEventHandler(), str(volume.directory))
    close_what_is_never_read(observer)
    observer.start()
    (emitter,) = observer.emitters
    end = emitter.stop

    def end_and_take_an_event() -> None:
        end()
        emitter.queue_events(0)

    emitter.stop = end_and_take_an_event  # type: ignore[method-assign]
    stop(observer)
    assert not emitter.is_alive()
    assert caplog.messages == []
    emitter.queue_events(0)  # at any other time it is an error
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("change", ["write", "nested", "rename", "remove", "touch"])
def test_each_edit_of_a_plain_directory_gives_a_hint(
    events: Events, counter: Counter, tmp_path: Path, change: str
) -> None:
    """A plain directory is watched with what is below it, its files' times included."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "KEY").write_text("one")
    (tmp_path / "sub" / "x").write_text("one")
    events.keep({str(tmp_path)})
    edits: dict[str, Callable[[], object]] = {
        "write": lambda: (tmp_path / "KEY").write_text("two"),
        "nested": lambda: (tmp_path / "sub" / "x").write_text("two"),
        "rename": lambda: (tmp_path / "KEY").rename(tmp_path / "KEY2"),
        "remove": (tmp_path / "KEY").unlink,
        "touch": lambda: os.utime(tmp_path / "KEY", (1, 1)),
    }
    edits[change]()
    eventually(lambda: counter.hints)


def test_one_observer_for_all_directories(
    events: Events, counter: Counter, tmp_path: Path, volume: AtomicWriter
) -> None:
    """Several directories, one of them by two names, share one observer."""
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(volume.directory)
    paths = {str(tmp_path / name) for name in ("other", "link", "config")}
    events.keep(paths)
    assert all(events.covers(path) for path in paths)
    observer = events._observer
    events.keep(paths)
    assert events._observer is observer
    (tmp_path / "other" / "KEY").write_text("one")
    eventually(lambda: counter.hints)
    before = rest(counter)
    volume.write({"KEY": "one"})
    eventually(lambda: counter.hints > before)


def test_an_absent_directory_is_covered_once_it_is_there(events: Events, tmp_path: Path) -> None:
    """Nothing is armed, and nothing is wrong, as long as there is no directory."""
    path = str(tmp_path / "absent")
    assert events.keep({path}) == NEVER
    assert events._observer is None
    assert not events.covers(path)
    os.mkdir(path)
    events.keep({path})
    assert events.covers(path)
    os.rmdir(path)
    assert not events.covers(path)
    eventually(lambda: events.keep({path}) == NEVER and events._observer is None)


@pytest.mark.parametrize("kind", ["removed", "renamed", "parent", "link"])
def test_a_replaced_directory_is_armed_anew(
    events: Events, counter: Counter, tmp_path: Path, kind: str
) -> None:
    """A directory that is another one than at arming is not covered until it is armed anew."""
    mount = tmp_path / "parent" / "mount"
    mount.mkdir(parents=True)
    if kind == "link":
        mount.rename(tmp_path / "parent" / "one")
        (tmp_path / "parent" / "two").mkdir()
        mount.symlink_to("one")
    path = str(mount)
    events.keep({path})
    assert events.covers(path)
    if kind == "removed":
        shutil.rmtree(mount)
        mount.mkdir()
        eventually(lambda: not events._alive())  # the inode's number may be the same
    elif kind == "renamed":
        mount.rename(tmp_path / "parent" / "away")
        mount.mkdir()
    elif kind == "parent":
        (tmp_path / "parent").rename(tmp_path / "away")
        mount.mkdir(parents=True)
    else:
        mount.unlink()
        mount.symlink_to("two")
    assert kind == "removed" or not events.covers(path)
    eventually(lambda: events.keep({path}) == NEVER and events.covers(path) and events._alive())
    before = rest(counter)
    (mount / "KEY").write_text("one")
    eventually(lambda: counter.hints > before)


def test_arming_anew_leaks_neither_thread_nor_descriptor(events: Events, tmp_path: Path) -> None:
    """After thirty replaced directories there are as many threads and descriptors as after one."""
    mount = tmp_path / "mount"
    mount.mkdir()
    events.keep({str(mount)})
    threads, descriptors = threading.active_count(), open_descriptors()
    for number in range(30):
        mount.rename(tmp_path / str(number))
        mount.mkdir()
        events.keep({str(mount)})
        assert events.covers(str(mount))
    eventually(lambda: threading.active_count() <= threads)
    eventually(lambda: open_descriptors() <= descriptors)


def test_dropping_an_observer_takes_no_time(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long watchdog takes to stop, the caller goes on at once."""
    events.keep({str(tmp_path)})
    leave = threading.Event()
    observer = events._observer
    assert observer is not None
    stop = observer.stop
    monkeypatch.setattr(observer, "stop", lambda: leave.wait(30) and stop())
    started = time.monotonic()
    events.drop()
    assert time.monotonic() - started < 10  # of the 30 that it takes
    events.keep({str(tmp_path)})
    assert events.covers(str(tmp_path))
    leave.set()
    eventually(lambda: not observer.is_alive())


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_an_observer_is_stopped_also_where_no_thread_is_left(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """If no thread can be started to stop it in, it is stopped in the caller's."""
    events.keep({str(tmp_path)})
    observer = events._observer
    assert observer is not None

    def refuse(self: threading.Thread) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        events.drop()
    assert not observer.is_alive()


def test_a_dead_observer_is_replaced(
    timed: Events, clock: Clock, counter: Counter, tmp_path: Path
) -> None:
    """Where one of watchdog's threads has ended, the next look makes another observer."""
    path = str(tmp_path)
    timed.keep({path})
    first = timed._observer
    assert first is not None
    first.stop()
    first.join()
    clock.now += 2  # it lived for a while
    assert timed.keep({path}) == NEVER
    assert timed._observer is not first
    (tmp_path / "KEY").write_text("one")
    eventually(lambda: counter.hints)


def test_an_observer_that_dies_again_and_again_is_not_replaced_at_each_look(
    timed: Events, clock: Clock, tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    """One that dies within a second is a failure: a warning, and a pause before the next."""
    path = str(tmp_path)
    for _ in range(2):
        clock.now += 60
        timed.keep({path})
        assert timed._observer is not None
        timed._observer.stop()
        timed._observer.join()
        assert timed.keep({path}) > clock.now
        assert not timed.covers(path)
        assert timed.keep({path}) > clock.now
    assert logged.text.count("threads end at once") == 2
    assert logged.text.count("events come again") == 1


def test_the_end_of_the_interpreter_is_no_failure(
    events: Events,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
) -> None:
    """From Python 3.12 no thread starts any more at the end, which is nothing to warn of."""
    with monkeypatch.context() as patched:
        fail_with(patched, RuntimeError("can't create new thread at interpreter shutdown"))
        assert events.keep({str(tmp_path)}) == NEVER
    assert not events.covers(str(tmp_path))
    assert not logged.records


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, "s3cret"), "fs.inotify.max_user_instances"),
        (OSError(errno.ENOSPC, "s3cret"), "fs.inotify.max_user_watches"),
        (OSError(errno.EIO, "s3cret"), "watchdog failed (OSError)"),
        (OSError("s3cret"), "watchdog failed (OSError)"),
        (RuntimeError("s3cret"), "watchdog failed (RuntimeError)"),
        (AttributeError("s3cret"), "watchdog failed (AttributeError)"),
    ],
)
def test_a_failure_is_one_warning_and_the_recovery_one_line(
    *,
    timed: Events,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
    error: Exception,
    words: str,
) -> None:
    """Attempts come ever less often, from a second to half a minute, until one succeeds."""
    path = str(tmp_path)
    pauses = []
    with monkeypatch.context() as patched:
        fail_with(patched, error)
        for _ in range(7):
            again = timed.keep({path})
            assert timed.keep({path}) == again
            pauses.append(again - clock.now)
            clock.now = again
            assert not timed.covers(path)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert timed.keep({path}) == NEVER
    assert timed.covers(path)
    assert [record.levelname for record in logged.records] == ["WARNING", "INFO"]
    assert words in logged.text
    assert "s3cret" not in logged.text

    clock.now += 31  # it has lasted: the next failure is tried again soon
    assert timed.keep({path}) == NEVER
    with monkeypatch.context() as patched:
        fail_with(patched, error)
        (tmp_path / "sub").mkdir()
        assert timed.keep({path, str(tmp_path / "sub")}) == clock.now + 1


@pytest.mark.parametrize("missing", ["watchdog.observers", "watchdog.events"])
def test_without_watchdog_there_is_polling(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
    missing: str,
) -> None:
    """Where watchdog cannot be imported the mounts are polled, and it is said once."""
    monkeypatch.setitem(sys.modules, missing, None)
    events = Events(lambda: None)
    assert events.keep({str(tmp_path)}) < NEVER
    assert events.keep({str(tmp_path)}) < NEVER
    assert not events.covers(str(tmp_path))
    assert logged.text.count("watchdog cannot be imported") == 1


def test_watchdogs_own_polling_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    """Where watchdog itself would only poll, comparing a link is cheaper."""
    monkeypatch.setattr(observers, "Observer", polling.PollingObserver)
    events = Events(lambda: None)
    assert events.keep({str(tmp_path)}) < NEVER
    assert "watchdog cannot be imported" in logged.text


@pytest.mark.parametrize(
    ("name", "function", "by"),
    [
        ("gevent.monkey", "is_module_patched", "gevent"),
        ("eventlet.patcher", "is_monkey_patched", "eventlet"),
    ],
)
def test_under_a_patched_threading_there_is_polling(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
    name: str,
    function: str,
    by: str,
) -> None:
    """watchdog dies under gevent and eventlet, once they have patched, and is not used there."""
    stand_in: Any = types.ModuleType(name)
    setattr(stand_in, function, lambda module: False)
    monkeypatch.setitem(sys.modules, name, stand_in)
    events = Events(lambda: None)
    assert events.keep({str(tmp_path)}) == NEVER
    events.close()
    setattr(stand_in, function, lambda module: True)
    events = Events(lambda: None)
    assert events.keep({str(tmp_path)}) < NEVER
    assert f"watchdog cannot run under {by}" in logged.text


def test_a_directory_that_goes_while_it_is_armed_is_no_failure(
    events: Events,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
) -> None:
    """It is waited for like one that was never there, without a warning."""
    with monkeypatch.context() as patched:
        fail_with(patched, FileNotFoundError())
        assert events.keep({str(tmp_path)}) == NEVER
        assert not events.covers(str(tmp_path))
    assert not logged.records
    events.keep({str(tmp_path)})
    assert events.covers(str(tmp_path))


def test_a_directory_that_goes_before_it_is_armed_leaves_nothing(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watchdog's instance is closed once, by its reader if it has one already: no thread stays."""
    inotify = pytest.importorskip("watchdog.observers.inotify_c")
    instance = inotify.InotifyFD if hasattr(inotify, "InotifyFD") else inotify.Inotify
    threads, descriptors = threading.active_count(), open_descriptors()
    directory = tmp_path / "config"
    start, close = EventEmitter.start, instance._close_resources
    closed: list[object] = []
    read_elsewhere: list[bool] = []

    def close_and_tell(self: Any) -> None:
        closed.append(self)
        read_elsewhere.append(self in threading.enumerate() and self != threading.current_thread())
        close(self)

    def start_too_late(self: Any) -> None:
        directory.rmdir()
        start(self)

    monkeypatch.setattr(instance, "_close_resources", close_and_tell)
    with monkeypatch.context() as patched:
        patched.setattr(EventEmitter, "start", start_too_late)
        for _ in range(5):
            directory.mkdir()
            events.keep({str(directory)})
            assert not events.problem
            assert not events.covers(str(directory))
    eventually(lambda: threading.active_count() <= threads)
    eventually(lambda: open_descriptors() <= descriptors)
    assert len(closed) == len({id(each) for each in closed}) == 5
    assert not any(read_elsewhere)
    directory.mkdir()
    events.keep({str(directory)})
    assert events.covers(str(directory))


@pytest.mark.parametrize("how", ["close", "drop", "refuse", "twice"])
def test_a_reader_that_begins_once_it_was_stopped_leaves_no_descriptor(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """On a busy machine watchdog's reader may run only then, and ends without closing anything."""
    inotify = pytest.importorskip("watchdog.observers.inotify_c")
    if hasattr(inotify, "InotifyFD"):
        reader = inotify.InotifyFD
    else:
        reader = importlib.import_module("watchdog.observers.inotify_buffer").InotifyBuffer
    run, start = reader.run, threading.Thread.start
    begun_late: list[bool] = []
    others: list[int] = []

    def run_late(self: Any) -> None:
        begun_late.append(self.stopped_event.wait(10))
        run(self)

    def start_or_refuse(self: threading.Thread) -> None:
        if how == "refuse" and isinstance(self, EventEmitter):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(reader, "run", run_late)
    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)
    threads, descriptors = threading.active_count(), open_descriptors()
    events.keep({str(tmp_path)})
    assert events.covers(str(tmp_path)) == (how != "refuse")
    observer: Any = events._observer
    if how == "twice":
        observer.stop()
        others = [os.open(tmp_path, os.O_RDONLY) for _ in range(9)]  # with the same numbers
    if how == "drop":
        events.drop()
    else:
        events.close()
    for other in others:
        os.close(other)  # which fails where it is closed already
    eventually(lambda: threading.active_count() <= threads)
    eventually(lambda: open_descriptors() <= descriptors)
    assert begun_late == [True]


def test_an_observer_that_started_half_is_stopped_whole(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the second directory cannot be watched, nothing of the first one's watch stays."""
    threads, descriptors = threading.active_count(), open_descriptors()
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        path.mkdir()
    started: list[object] = []
    original = EventEmitter.start

    def fail_at_second(self: Any) -> None:
        started.append(self)
        if len(started) > 1:
            raise OSError(errno.ENOSPC, "no watch left")
        original(self)

    monkeypatch.setattr(EventEmitter, "start", fail_at_second)
    assert events.keep({str(path) for path in paths}) < NEVER
    assert len(started) == 2
    eventually(lambda: threading.active_count() <= threads)
    eventually(lambda: open_descriptors() <= descriptors)


def test_what_fails_to_stop_is_left(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An observer that raises when it is stopped does not disturb who stops it."""
    events.keep({str(tmp_path)})
    observer = events._observer
    assert observer is not None
    stop = observer.stop

    def fail() -> None:
        stop()
        raise KeyError("watch")

    monkeypatch.setattr(observer, "stop", fail)
    events.close()
    assert not events.covers(str(tmp_path))


def test_abandoning_stops_nothing(events: Events, counter: Counter, tmp_path: Path) -> None:
    """An abandoned observer runs on, for whom it belongs to, and is kept from collection."""
    events.keep({str(tmp_path)})
    observer = events._observer
    assert observer is not None
    events.abandon()
    assert not events.covers(str(tmp_path))
    assert observer.is_alive()
    assert module._abandoned.pop() is observer
    (tmp_path / "KEY").write_text("one")
    eventually(lambda: counter.hints)
    observer.stop()
    observer.join()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read whatever the permissions say")
def test_an_unreadable_directory_is_not_covered(events: Events, tmp_path: Path) -> None:
    """Without permission to read, no event is relied on."""
    events.keep({str(tmp_path)})
    tmp_path.chmod(0)
    assert not events.covers(str(tmp_path))
    tmp_path.chmod(0o700)
    assert events.covers(str(tmp_path))


def test_a_watch_that_cannot_be_added_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that goes while watchdog walks through its parent costs no inotify instance."""
    inotify = pytest.importorskip("watchdog.observers.inotify_c")
    if not hasattr(inotify, "Inotify"):
        pytest.skip("watchdog since 7 has one instance for all watches")
    events = Events(lambda: None)
    descriptors = open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "walk", lambda path: iter([(path, [b"gone"], [])]))
        for _ in range(3):
            events.keep([str(tmp_path)])
            assert not events.covers(str(tmp_path))
    eventually(lambda: open_descriptors() <= descriptors)
    events.keep([str(tmp_path)])
    assert events.covers(str(tmp_path))
    events.close()


def test_whatever_arming_raises_is_a_reason_to_poll(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw neither ends the watch nor is forgotten."""

    def fails(_: object) -> float:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(events, "_keep", fails)
        again = events.keep([str(tmp_path)])
    assert again > 0
    assert not events.covers(str(tmp_path))
    eventually(lambda: (events.keep([str(tmp_path)]), events.covers(str(tmp_path)))[1])
