"""Forks: the child has a watch and locks of its own, and its parent never notices."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import pytest
from dynaconf.base import Settings

from dynaconf_k8s_reload import Mount, Reloader, get_reloader
from dynaconf_k8s_reload._dynaconf.variables import LOADER
from dynaconf_k8s_reload._environ.process import PROCESS
from dynaconf_k8s_reload._source import snapshot
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._watch import WATCHER
from dynaconf_k8s_reload._watch import processes as forking
from dynaconf_k8s_reload._watch.session import Session
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, forked, make_settings

pytestmark = pytest.mark.usefixtures("first_look_is_awaited")


class Child:
    """A forked process that runs a function, and says how it went."""

    def __init__(self, function: Callable[[], object], fork: Callable[[], int] = os.fork) -> None:
        self.pid = forked(function, fork)

    def join(self, seconds: float = 20.0) -> None:
        """Wait for its end; fail if it failed or hangs."""
        ended: list[int] = []

        def has_ended() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(ended)

        try:
            eventually(has_ended, seconds)
        except AssertionError:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise
        assert ended == [0]


def watched(volume: AtomicWriter, **options: Any) -> Any:
    """Settings whose watch has settled on events, and that no resync saves."""
    volume.write({"KEY": "zero"})
    settings = make_settings(volume.directory, k8s_resync=3600, **options)
    assert settings.KEY == "zero"
    eventually(lambda: get_reloader(settings).status().watching == "events")
    return settings


def follows(settings: Any, volume: AtomicWriter, text: str) -> None:
    """A swap arrives in settings and environment."""
    volume.write({"KEY": text})
    arrives(settings, text)


def arrives(settings: Any, text: str, seconds: float = 10.0) -> None:
    eventually(lambda: text == settings.KEY == os.environ["KEY"], seconds)


def test_child_and_parent_both_follow(volume: AtomicWriter) -> None:
    """A child watches by events; the parent's watch lives through its end."""
    settings = watched(volume)

    def child() -> None:
        eventually(lambda: get_reloader(settings).status().watching == "events")
        follows(settings, volume, "child")
        get_reloader(settings).stop()
        assert get_reloader(settings).status().watching == "off"

    Child(child).join()
    arrives(settings, "child")
    follows(settings, volume, "parent")
    eventually(lambda: get_reloader(settings).status().watching == "events")


def test_a_child_that_returns_to_the_interpreter_ends_at_once(volume: AtomicWriter) -> None:
    """A child's own exit handlers leave the parent's observer alone and take no time."""
    settings = watched(volume)

    def child() -> None:
        started = time.monotonic()
        WATCHER.close()
        assert time.monotonic() - started < 20  # of the 30 that the check takes

    Child(child).join()
    follows(settings, volume, "parent")


def test_a_childs_child_follows_too(volume: AtomicWriter) -> None:
    """A fork within a fork has a watch of its own."""
    settings = watched(volume)

    def child() -> None:
        Child(lambda: follows(settings, volume, "grandchild")).join()
        arrives(settings, "grandchild")

    Child(child).join()
    arrives(settings, "grandchild")


def test_a_fork_from_another_thread(volume: AtomicWriter) -> None:
    """Whichever thread forks, the child follows."""
    settings = watched(volume)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            Child(lambda: follows(settings, volume, "child")).join()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
    arrives(settings, "child")


def _report(connection: Connection, settings: Any) -> None:
    arrives(settings, "two")
    eventually(lambda: get_reloader(settings).status().watching == "events")
    connection.send(settings.KEY)
    connection.close()


def test_multiprocessings_fork(volume: AtomicWriter) -> None:
    """A process of multiprocessing's fork method follows."""
    settings = watched(volume)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, settings))
    process.start()
    sender.close()
    volume.write({"KEY": "two"})
    assert receiver.recv() == "two"
    process.join()
    process.close()
    receiver.close()
    arrives(settings, "two")


def test_a_swap_just_before_the_fork_reaches_the_child(volume: AtomicWriter) -> None:
    """What the parent has not read yet is read by the child without another event."""
    settings = watched(volume)
    for number in range(10):
        text = f"number {number}"
        volume.write({"KEY": text})
        Child(lambda text=text: arrives(settings, text)).join()  # type: ignore[misc] # reason: mypy knows no lambda with a default
    arrives(settings, "number 9")


def test_a_fork_in_the_middle_of_a_reload(volume: AtomicWriter) -> None:
    """A fork while a check hangs is not held up; both sides go on, unlocked."""
    settings = watched(volume)
    reloader = get_reloader(settings)
    inside, leave = threading.Event(), threading.Event()

    @reloader.on_validate
    def hang(candidate: Any, changes: Any) -> None:
        inside.set()
        leave.wait(30)

    volume.write({"KEY": "one"})
    assert inside.wait(10)
    assert settings.KEY == "zero"

    def child() -> None:
        reloader.unsubscribe(hang)
        arrives(settings, "one")
        follows(settings, volume, "two")
        assert reloader.reload().outcome == "unchanged"
        assert reloader.snapshot().KEY == "two"
        eventually(lambda: reloader.status().watching == "events")

    started = time.monotonic()
    forked = Child(child)
    assert time.monotonic() - started < 20  # of the 30 that the check takes
    forked.join()
    assert settings.KEY == "zero"
    leave.set()
    arrives(settings, "two")
    follows(settings, volume, "three")


def test_a_child_of_a_reload_has_nothing_of_it_and_makes_its_own(volume: AtomicWriter) -> None:
    """In the middle of a reload a fork waits for no check; what the child reads first is new."""
    settings = watched(volume)
    inside, leave, here = threading.Event(), threading.Event(), os.getpid()

    @get_reloader(settings).on_validate
    def linger(candidate: Any, changes: Any) -> None:
        inside.set()
        if os.getpid() == here:
            leave.wait(30)

    volume.write({"KEY": "one"})
    assert inside.wait(10)

    def child() -> None:
        assert PROCESS["KEY"] == "zero"  # os.environ itself makes the child follow
        assert settings.KEY == os.environ["KEY"] == "one"

    try:
        Child(child).join()
        assert settings.KEY == os.environ["KEY"] == "zero"
    finally:
        leave.set()
    arrives(settings, "one")


def test_a_fork_within_a_reload(volume: AtomicWriter) -> None:
    """A check that forks, in the watching thread or in reload(), hangs neither side."""
    settings = watched(volume)
    reloader = get_reloader(settings)
    failures: list[str] = []
    here = os.getpid()

    @reloader.on_validate
    def fork(candidate: Any, changes: Any) -> None:
        if os.getpid() != here:  # a child reloads too, and must not fork without end
            return
        try:
            Child(lambda: None).join()
        except AssertionError as error:
            failures.append(str(error))

    follows(settings, volume, "one")
    volume.write({"KEY": "two"})
    reloader.reload()
    arrives(settings, "two")
    assert not failures


def test_locks_that_another_thread_held_are_free_in_the_child(volume: AtomicWriter) -> None:
    """The reloader's and the mirror's locks are new, although their holders stayed behind."""
    volume.write({"KEY": "zero"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with reloader.publishing, reloader.mirror._lock:
            inside.set()
            leave.wait(30)

    def child() -> None:
        volume.write({"KEY": "one"})
        # in this thread: a new one may have the identity of the holder, and with it the lock
        assert reloader.reload().outcome == "applied"

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(10)
    try:
        Child(child).join()
    finally:
        leave.set()
        holder.join()


def test_forks_from_several_threads_at_once(volume: AtomicWriter) -> None:
    """Threads that fork at the same time wait for each other no longer than for a reload."""
    settings = watched(volume)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                Child(lambda: None).join()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    follows(settings, volume, "one")
    assert not forking._held.__dict__


def test_the_childs_subscribers_are_called_in_the_child(volume: AtomicWriter) -> None:
    """A subscriber of before the fork hears of the child's changes in the child."""
    settings = watched(volume)
    heard: list[str] = []

    @get_reloader(settings).on_change("KEY")
    def hear(changes: Any) -> None:
        heard.append(changes["KEY"].new)

    def child() -> None:
        follows(settings, volume, "one")
        eventually(lambda: heard == ["one"])

    Child(child).join()
    eventually(lambda: heard == ["one"])


def test_a_child_of_a_process_that_does_not_watch(volume: AtomicWriter) -> None:
    """Where nothing is watched, a fork starts nothing."""
    volume.write({"KEY": "zero"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == "zero"

    def child() -> None:
        assert threading.active_count() == 1
        reloader = get_reloader(settings)
        assert reloader.status().watching == "off"
        reloader.start()
        follows(settings, volume, "one")

    Child(child).join()
    assert settings.KEY == "zero"


@pytest.mark.heavy
def test_two_hundred_forks_during_continuous_swapping(volume: AtomicWriter) -> None:
    """Every child reaches what is newest then, none hangs, and the parent misses nothing."""
    settings = watched(volume)
    newest = 0
    done = threading.Event()
    gaps = threading.Event()

    def swap() -> None:
        nonlocal newest
        while not done.is_set():
            volume.write({"KEY": f"number {newest + 1}"})
            newest += 1
            gaps.wait(0.01)

    writer = threading.Thread(target=swap)
    writer.start()
    slowest = 0.0
    try:
        for _ in range(200):
            reached, end = newest, time.monotonic()

            def child(reached: int = reached) -> None:
                eventually(lambda: _number(settings) > reached, seconds=10)

            Child(child).join()
            slowest = max(slowest, time.monotonic() - end)
            # the parent lags behind the writer by a moment, never by one child's life
            eventually(lambda reached=reached: _number(settings) > reached)  # type: ignore[misc] # reason: as above
    finally:
        done.set()
        writer.join()
    last = f"number {newest}"
    arrives(settings, last)
    Child(lambda: arrives(settings, last)).join()
    print(f"200 forks, {newest} swaps, slowest child {slowest:.3f} s")


def _number(settings: Any) -> int:
    with contextlib.suppress(ValueError):
        return int(str(settings.KEY).removeprefix("number "))
    return -1


def test_the_warning_of_newer_pythons_is_the_only_one(volume: AtomicWriter) -> None:
    """A fork beside the watch warns of nothing but the threads themselves, if at all."""
    watched(volume)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Child(lambda: None).join()
    assert all("use of fork" in str(warning.message) for warning in caught)


def test_what_is_renewed_may_notice_the_fork_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewing calls what notices a fork, which then has nothing to do."""
    renewed: list[str] = []

    class Renewing:
        def renew_after_fork(self) -> None:
            renewed.append("once")
            forking.notice_fork()

    monkeypatch.setattr(forking, "RENEWED_AFTER_FORK", ())
    monkeypatch.setattr(forking, "RENEWED_LAST", (Renewing(),))
    monkeypatch.setattr(forking._ours, "pid", -1)
    forking.notice_fork()
    forking.notice_fork()
    assert renewed == ["once"]


def test_a_renewal_that_is_interrupted_is_done_at_the_next_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A time limit that ends a child's first use does not leave the child unrenewed for good."""
    renewed: list[str] = []

    class Interrupted:
        def renew_after_fork(self) -> None:
            renewed.append("once more")
            if len(renewed) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(forking, "RENEWED_AFTER_FORK", ())
    monkeypatch.setattr(forking, "RENEWED_LAST", (Interrupted(),))
    monkeypatch.setattr(forking._ours, "pid", -1)
    with pytest.raises(KeyboardInterrupt):
        forking.notice_fork()
    assert not forking.is_ours()
    forking.notice_fork()
    forking.notice_fork()
    assert forking.is_ours()
    assert len(renewed) == 2


@pytest.mark.parametrize("step", ["add", "wait_for_first_look"])
def test_a_watch_whose_beginning_is_interrupted_goes_on(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A time limit that ends a child's first use leaves it with one thread, which follows."""
    settings = watched(volume)
    reloader, method = get_reloader(settings), getattr(Session, step)

    def child() -> None:
        def interrupted(session: Session, *arguments: Any) -> Any:
            monkeypatch.setattr(Session, step, method)
            raise KeyboardInterrupt

        monkeypatch.setattr(Session, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            reloader.status()
        lock = reloader.lock
        assert reloader.status().healthy
        assert reloader.lock is lock  # the thread may hold it
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("k8s-reload-watch") == 1
        follows(settings, volume, "child")

    Child(child).join()


async def iterate(reloader: Reloader) -> None:
    reloader.changes()


CALLS: dict[str, Callable[[Reloader], object]] = {
    "status": lambda reloader: reloader.status(),
    "snapshot": lambda reloader: reloader.snapshot(),
    "pin": lambda reloader: reloader.pin().__enter__(),
    "reload": lambda reloader: reloader.reload(),
    "start": lambda reloader: reloader.start(),
    "stop": lambda reloader: reloader.stop(),
    "on_change": lambda reloader: reloader.on_change()(print),
    "on_validate": lambda reloader: reloader.on_validate(print),
    "on_error": lambda reloader: reloader.on_error(print),
    "changes": lambda reloader: asyncio.run(iterate(reloader)),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_in_a_child_waits_for_no_lock_of_its_parents(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Where Python did not see the fork, the first call of the API notices it, whichever it is."""
    volume.write({"KEY": "zero"})
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    monkeypatch.setattr(forking, "RENEWED_AFTER_FORK", ())
    monkeypatch.setattr(forking, "RENEWED_LAST", ())
    monkeypatch.setattr(forking._ours, "pid", -1)
    CALLS[call](reloader)
    assert forking.is_ours()


CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda settings: settings.set("KEY", "code"),
    "update": lambda settings: settings.update({"KEY": "code"}, loader_identifier="code"),
    "populate_obj": lambda settings: settings.populate_obj(SimpleNamespace()),
    "from_env": lambda settings: settings.from_env("other"),
    "get_fresh": lambda settings: settings.get_fresh("KEY"),
    "setenv": lambda settings: settings.setenv("other"),
    "another": lambda settings: make_settings(settings.K8S_MOUNTS[0], k8s_watch=False).KEY,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_child_of_a_fork_in_c_waits_for_no_lock_of_its_parents(
    volume: AtomicWriter, change: str
) -> None:
    """It changes its settings though a thread that stayed behind was reloading them."""
    volume.write({"KEY": "zero"})
    settings = make_settings(volume.directory, k8s_watch=False)
    generations = get_reloader(settings).generations

    def reload() -> None:
        for lock in (generations.lock, generations.publishing, generations._mirror._lock):
            lock.acquire()

    thread = threading.Thread(target=reload)
    thread.start()
    thread.join()  # a thread that still ran might want the interpreter's lock while it forks
    try:
        Child(lambda: CHANGES[change](settings), ctypes.PyDLL(None).fork).join()
    finally:
        generations.renew_after_fork()
        generations._mirror.renew_lock()


@pytest.mark.parametrize("environments", [False, True])
def test_a_reload_imports_no_loader(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, *, environments: bool
) -> None:
    """Python 3.10 locks a module to import it, for ever in a child that is forked meanwhile."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, environments=environments)
    assert settings.KEY == 1
    imported: list[str] = []
    original = importlib.import_module

    def import_module(name: str, package: str | None = None) -> Any:
        imported.append(name)
        return original(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)
    volume.write({"MYAPP_KEY": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.KEY == 2
    assert LOADER not in imported
    assert settings.loaders == Settings.loaders.fget(settings._wrapped)
    monkeypatch.setitem(sys.modules, LOADER, None)
    with pytest.raises(ModuleNotFoundError):  # dynaconf looks for what is not there
        assert settings.loaders


def test_an_applications_own_way_to_its_loaders_is_taken(volume: AtomicWriter) -> None:
    """A settings class that gives its loaders itself is asked for them at each reload."""
    asked: list[str] = []

    class Own(Settings):  # type: ignore[misc] # reason: dynaconf is untyped
        @property
        def loaders(self) -> Any:
            asked.append("once more")
            return super().loaders

    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, _wrapper_class=Own)
    assert settings.KEY == 1
    asked.clear()
    volume.write({"MYAPP_KEY": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.KEY, bool(asked)) == (2, True)


def test_a_fork_while_a_thread_hashes_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child hashes too: a thread that stayed behind leaves no lock held."""
    hashing, goes_on, parent, digest = (
        threading.Event(),
        threading.Event(),
        os.getpid(),
        snapshot._digest,
    )

    def waits_in_the_parent(contents: Any) -> str:
        if os.getpid() == parent:
            hashing.set()
            goes_on.wait(60)
        return digest(contents)

    def digest_of_one() -> str:
        return snapshot.Snapshot(Mount("/config"), Token(), files={"A": b"1"}).digest

    monkeypatch.setattr(snapshot, "_digest", waits_in_the_parent)
    thread = threading.Thread(target=digest_of_one)
    thread.start()
    try:
        assert hashing.wait(20)
        Child(digest_of_one).join()
    finally:
        goes_on.set()
        thread.join()
