"""Health is what was seen in this very process: absent mounts, hung reloads, lack of all kinds."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dynaconf_k8s_reload import Reloader, _dynaconf, get_reloader
from dynaconf_k8s_reload._model import published
from dynaconf_k8s_reload._model.clock import monotonic
from dynaconf_k8s_reload._reload import health, progress
from dynaconf_k8s_reload._reload.lines import Lines
from dynaconf_k8s_reload._source import reading
from dynaconf_k8s_reload._watch import session as sessions
from dynaconf_k8s_reload._watch import watch as watches
from dynaconf_k8s_reload._watch.events import Events
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings, open_descriptors


def lines(logged: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """What was logged from a level on, without the name of the object."""
    messages = [record.getMessage() for record in logged.records if record.levelno >= level]
    return [message.removesuffix(" [MYAPP]") for message in messages]


def watched(volume: AtomicWriter) -> tuple[Any, Reloader, sessions.Session]:
    """Settings on `volume` that events tell of, and that are compared without one once an hour."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory, k8s_resync=3600)
    reloader = get_reloader(settings)
    eventually(lambda: reloader.status().watching == "events")
    session = reloader.following._watcher._session
    assert session is not None
    return settings, reloader, session


def test_the_status_right_after_the_first_load_is_that_of_the_watch(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first status says "events" where they come, of a first object and of a further one."""
    monkeypatch.setattr(sessions, "FIRST_LOOK_SECONDS", 10.0)
    volume.write({"KEY": "1"})
    for settings in [make_settings(volume.directory), make_settings(volume.directory)]:
        reloader = get_reloader(settings)
        assert reloader.status().watching == "events"
        reloader.stop()
        reloader.start()
        assert reloader.status().watching == "events"


# what is not followed is said


def test_an_absent_mount_is_told_until_it_is_there(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """One warning and a problem with its remedy, healthy all the while; a line once it is there."""
    shutil.rmtree(volume.directory, ignore_errors=True)
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    told = (
        f"mount {volume.directory} is absent; mount the ConfigMap there, or take it out of "
        "k8s_mounts"
    )
    reloader.reload()
    assert lines(logged) == [told]
    assert reloader.status().problems == (told,)
    assert reloader.status().healthy
    volume.write({"KEY": "1"})
    logged.clear()
    reloader.reload()
    reloader.reload()
    assert f"mount {volume.directory} is there, and followed again" in lines(logged, logging.INFO)
    assert lines(logged) == []
    assert reloader.status().problems == ()


@pytest.mark.parametrize("name", ["KEY", "app.toml"])
def test_a_mount_that_vanishes_is_told_once(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, name: str
) -> None:
    """Its last content serves, one warning says so, and the problem stays until it is back."""
    text = "{}" if name == "KEY" else "KEY = {}\n"
    volume.write({name: text.format(1)})
    settings = make_settings(volume.directory, settings_files=[str(volume.directory / "app.toml")])
    reloader = get_reloader(settings)
    shutil.rmtree(volume.directory)
    eventually(lambda: bool(reloader.status().problems))
    reloader.reload()
    assert settings.KEY == 1

    def vanished() -> list[str]:
        return [line for line in lines(logged) if "has vanished" in line]

    eventually(lambda: list(reloader.status().problems) == vanished() != [])
    assert len(vanished()) == 1
    assert reloader.status().healthy
    volume.write({name: text.format(2)})
    eventually(lambda: settings.KEY == 2)
    eventually(lambda: not reloader.status().problems)


def test_where_nothing_is_to_be_followed_that_is_told(logged: pytest.LogCaptureFixture) -> None:
    """Without a mount, and without a volume at /config, settings say so once."""
    reloader = get_reloader(make_settings())
    reloader.reload()
    assert lines(logged) == [health.NO_MOUNT]
    assert reloader.status().problems == (health.NO_MOUNT,)
    assert reloader.status().healthy


def test_a_mounts_revision_can_be_made_of_a_manifest(volume: AtomicWriter, tmp_path: Path) -> None:
    """It is a hash of keys and contents alone, whatever the mount's path and other options."""
    content = {"B": b"\xff", "A": b"1", "app.toml": b"[default]"}
    volume.write(content)
    hashed = hashlib.sha256()
    for key in sorted(content):
        hashed.update(b"%s\0%d\0%s" % (key.encode(), len(content[key]), content[key]))
    other = AtomicWriter(tmp_path / "other")
    other.write(content)
    reloader = get_reloader(
        make_settings(
            volume.directory, {"path": str(other.directory), "prefix": "P_"}, k8s_watch=False
        )
    )
    assert {mount.revision for mount in reloader.status().mounts} == {hashed.hexdigest()[:16]}
    volume.set("A", "2")
    reloader.reload()
    assert len({mount.revision for mount in reloader.status().mounts}) == 2


def test_a_status_names_its_process(settings: Any) -> None:
    """The pid, for whoever asks several; nothing has drifted, nothing is under way."""
    status = get_reloader(settings).status()
    assert (status.pid, status.drifted, status.busy_since) == (os.getpid(), (), None)
    assert {"problems", "drifted", "busy_since", "pid"} <= status.as_dict().keys()


# a reload that hangs


class Hanging:
    """A check that hangs until it is let go."""

    def __init__(self) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()

    def __call__(self, candidate: Any, changes: Any) -> None:
        self.inside.set()
        self.leave.wait(60)


def test_a_reload_that_hangs_is_told_and_holds_nobody_up(
    volume: AtomicWriter,
    tmp_path: Path,
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log has it and its end; both objects unhealthy, each for its own reason; `stop()` hardly
    waits."""
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.2)
    monkeypatch.setattr(progress, "HUNG_SECONDS", 0.5)
    monkeypatch.setattr(health, "LATE_SECONDS", 0.2)
    monkeypatch.setattr(health, "HUNG_SECONDS", 0.5)
    volume.write({"MYAPP_A": "1"})
    other = AtomicWriter(tmp_path / "other")
    other.write({"OTHER_A": "1"})
    hung = get_reloader(make_settings(volume.directory))
    beside = get_reloader(make_settings(other.directory, envvar_prefix="OTHER"))
    check = Hanging()
    hung.on_validate(check)
    try:
        volume.write({"MYAPP_A": "2"})
        assert check.inside.wait(10)
        assert hung.status().busy_since is not None
        eventually(lambda: not hung.status().healthy)
        eventually(lambda: not beside.status().healthy)
        (problem,) = hung.status().problems
        assert problem.startswith(f"a reload of {volume.directory} has been running for ")
        assert "py-spy" in problem
        (problem,) = beside.status().problems
        assert "has been held up for" in problem
        assert str(volume.directory) in problem
        eventually(lambda: lines(logged, logging.ERROR) != [])
        assert f"; it is at {__file__}:" in hung.status().problems[0]
        (error,) = [line for line in logged.messages if "makes the process unhealthy" in line]
        assert error.startswith(f"a reload of {volume.directory} has been running for ")
        assert error.endswith(" [MYAPP]")
        started = time.monotonic()
        hung.stop()
        assert time.monotonic() - started < 20  # of the 60 that the check takes
    finally:
        check.leave.set()
    eventually(lambda: hung.status().busy_since is None)
    eventually(lambda: beside.status().healthy)
    assert hung.status().problems == ()
    eventually(lambda: any("has ended, after" in line for line in logged.messages))


def test_where_a_thread_is_in_no_code_of_the_application() -> None:
    """Then no place is named: it has ended, or is in this package's own code."""
    assert _dynaconf.place_of(None) == ""
    reloading = progress.Progress(lambda: "/config", Lines())
    reloading.begin()
    reloading._began -= 6  # it asks in its own thread
    assert " s; look at the application's " in reloading.problem


def test_what_is_published_after_a_reload_is_not_held_up_by_it(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a reload of more than half a minute left the process unhealthy until the next look."""
    _, reloader, session = watched(volume)
    seen: list[object] = []
    monkeypatch.setattr(reloader.following, "looked", lambda: seen.append(session.comparing))
    volume.write({"KEY": "2"})
    eventually(lambda: reloader.status().generation == 2)
    eventually(lambda: seen)
    assert set(seen) == {None}


def test_a_reload_that_has_just_ended_is_not_told_of(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was about to say that it takes long says nothing."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloading = get_reloader(settings).generations.progress
    logged.clear()
    reloading.tell()
    assert logged.messages == []
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)
    reloading.begin()
    reloading.end()
    reloading.tell_end()
    assert logged.messages == []
    reloading.begin()
    reloading.tell()
    reloading.end()
    assert ["has been running for" in line for line in lines(logged)] == [True]


def test_a_reload_that_makes_the_process_unhealthy_is_told_once_more(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning first, then an error, and its end; the status that others read has it, too."""
    volume.write({"MYAPP_A": "1"})
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    reloading = reloader.generations.progress
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)
    logged.clear()
    before = reloader.following._health.marks
    reloading.begin()
    reloading.tell()
    (status,) = published.statuses(os.getpid())
    assert status["problems"][0].startswith(f"a reload of {volume.directory} has been running for")
    monkeypatch.setattr(progress, "HUNG_SECONDS", -1.0)
    reloading.tell()
    assert reloader.following._health.marks != before
    reloading.end()
    monkeypatch.setattr(progress, "LONG_SECONDS", 5.0)
    reloading.tell_end()
    assert reloader.following._health.marks == before
    (status,) = published.statuses(os.getpid())
    assert (status["healthy"], status["problems"]) == (True, [])
    where = str(volume.directory)
    assert [
        (record.levelname, record.getMessage().partition("; ")[0]) for record in logged.records
    ] == [
        ("WARNING", f"a reload of {where} has been running for 0 s"),
        (
            "ERROR",
            f"a reload of {where} has been running for 0 s, which makes the process unhealthy",
        ),
        ("INFO", f"the reload of {where} has ended, after 0 s [MYAPP]"),
    ]


def test_what_a_long_reload_s_last_line_raises_leaves_no_object_busy(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every reload has ended, even if a time limit strikes in a handler of the log."""
    volume.write({"MYAPP_A": "1"})
    every = [get_reloader(make_settings(volume.directory)) for _ in range(2)]
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)

    def strike(*_: object) -> None:
        raise KeyboardInterrupt

    def take_long() -> None:
        with progress.busy([each.generations for each in every]):
            for each in every:
                each.generations.progress.tell()
            monkeypatch.setattr(Lines, "info", strike)

    with pytest.raises(KeyboardInterrupt):
        take_long()
    assert [each.status().busy_since for each in every] == [None, None]
    assert all(each.status().healthy for each in every)


def starting(monkeypatch: pytest.MonkeyPatch, start: Callable[..., object]) -> progress.Overdue:
    """What has a word said about reloads that take long, with `start` to start its thread."""
    thread = SimpleNamespace(start_new_thread=start, allocate_lock=threading.Lock)
    monkeypatch.setattr(progress, "_thread", thread)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    return progress.Overdue()


def test_reloads_in_a_row_share_the_thread_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends once none is under way, and the next reload has another; so has a forked child's."""
    started: list[Callable[[], object]] = []
    overdue = starting(monkeypatch, lambda run, _: started.append(run))

    def reload() -> int:
        every: list[progress.Progress] = []
        overdue.begin(every)
        overdue.end(every)
        return len(started)

    assert [reload() for _ in range(3)] == [1, 1, 1]
    started[0]()
    assert [reload() for _ in range(2)] == [2, 2]
    monkeypatch.setattr(progress, "os", SimpleNamespace(getpid=lambda: -1))
    assert [reload() for _ in range(2)] == [3, 3]


def test_the_thread_that_tells_ends_when_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names a reload that hangs once, and one that ends in time never."""
    started: list[Callable[[], object]] = []
    overdue = starting(monkeypatch, lambda run, _: started.append(run))
    told: list[str] = []
    quick: Any = [SimpleNamespace(tell=lambda: told.append("quick"))]

    def tell() -> None:
        told.append("hung")
        overdue.end(quick)

    overdue.begin(quick)
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(progress, "HUNG_SECONDS", 0.0)
    hung: Any = [SimpleNamespace(tell=tell)]
    overdue.begin(hung)
    started[0]()
    assert told == ["hung"]
    overdue.end(hung)


def test_a_reload_that_has_been_told_of_is_watched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again when it makes the process unhealthy, and not before."""
    overdue = starting(monkeypatch, lambda *_: None)
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(progress, "HUNG_SECONDS", 3600.0)
    told: list[str] = []
    hung: Any = [SimpleNamespace(tell=lambda: told.append("hung"))]
    overdue.begin(hung)
    for _ in range(2):
        overdue._tell_late()
        eventually(lambda: told == ["hung"])
    assert list(overdue._under_way) == [id(hung)]
    overdue.end(hung)


def test_a_reload_needs_no_thread_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be started, each reload tries again."""
    tried: list[object] = []

    def refuse(run: object, _: object) -> None:
        tried.append(run)
        raise RuntimeError("can't start new thread")

    overdue = starting(monkeypatch, refuse)
    for _ in range(2):
        overdue.begin([])
    assert len(tried) == 2
    monkeypatch.setattr(progress, "MAY_START", False)
    overdue.begin([])
    assert len(tried) == 2


def test_a_watch_that_has_not_looked_is_unhealthy(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the resync and five seconds after the last look, whatever the thread says of itself."""
    volume.write({})
    reloader = get_reloader(make_settings(volume.directory, k8s_resync=30))
    assert reloader.status().healthy
    watch = reloader.following._watch
    assert watch is not None
    eventually(lambda: reloader.status().watching == "events")

    def problems(age: float) -> tuple[str, ...]:
        # A look at the same moment sets the time anew: the caller asks again.
        watch.looked = monotonic() - age
        return reloader.status().problems

    eventually(lambda: any("have not been compared for 66 s" in each for each in problems(66)))
    eventually(lambda: problems(64) == ())


def test_a_change_that_no_event_told_is_told_by_the_status(volume: AtomicWriter) -> None:
    """However long the resync is: whoever asks hears of it, and that has it read."""
    number = 1
    settings, reloader, session = watched(volume)
    session.events._handler._hint = lambda: None

    def is_told() -> bool:
        nonlocal number
        number += 1
        volume.write({"KEY": str(number)})
        return any("has not been noticed yet" in each for each in reloader.status().problems)

    eventually(is_told)  # what comes soon after the start is found without an event
    eventually(lambda: number == settings.KEY)
    assert reloader.status().problems == ()


def test_dead_threads_of_watchdog_are_found_by_who_asks(volume: AtomicWriter) -> None:
    """The status says that it polls, or that a change was missed, and has the watch mended."""
    settings, reloader, session = watched(volume)
    observer = session.events._observer
    assert observer is not None
    for emitter in list(observer.emitters):
        emitter.stop()
        emitter.join()
    volume.write({"KEY": "2"})
    eventually(lambda: bool(reloader.status().problems) or settings.KEY == 2)
    eventually(lambda: settings.KEY == 2)
    eventually(lambda: reloader.status().watching == "events")


def test_a_status_waits_for_no_reload_where_no_thread_runs(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever compares in place of the thread may hang: others are told so."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader, check = get_reloader(settings), Hanging()
    reloader.on_validate(check)
    monkeypatch.setattr(sessions.Session, "start", lambda *_: None)
    reloader.start()
    volume.write({"KEY": "2"})
    asking = threading.Thread(target=reloader.status)
    asking.start()
    assert check.inside.wait(10)
    try:
        status = reloader.status()
        assert (status.healthy, status.busy_since is None) == (False, False)
    finally:
        check.leave.set()
        asking.join()
    assert settings.KEY == 2


# a watch that nothing ends


def test_a_filter_that_raises_neither_ends_the_watch_nor_refuses_an_update(
    volume: AtomicWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an application hangs on the logger may raise in our thread: the update is applied."""

    def outside_of_a_request(record: logging.LogRecord) -> bool:
        raise RuntimeError("working outside of request context")

    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    assert settings.KEY == 1
    logger = logging.getLogger("dynaconf_k8s_reload")
    logger.addFilter(outside_of_a_request)
    logger.setLevel(logging.DEBUG)
    try:
        for number in range(2, 5):
            volume.write({"KEY": str(number)})
            eventually(lambda number=number: number == settings.KEY)  # type: ignore[misc] # reason: mypy knows no lambda with a default
        status = get_reloader(settings).status()
        assert (status.rejected, status.last_error, status.healthy) == (0, None, True)
    finally:
        logger.removeFilter(outside_of_a_request)
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_no_thread_starts_the_calls_compare(
    volume: AtomicWriter,
    monkeypatch: pytest.MonkeyPatch,
    logged: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """No read raises; one warning; each call of the API follows, until a thread can be started."""

    def refuse(thread: threading.Thread) -> None:
        raise error

    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert settings.KEY == 1
        assert lines(logged, logging.INFO)[-1].endswith(", not watching")
        reloader = get_reloader(settings)
        volume.write({"KEY": "2"})
        status = reloader.status()
        assert (status.watching, status.healthy) == ("off", False)
        assert status.problems[0].startswith("no thread can be started")
        assert (settings.KEY, os.environ["KEY"]) == (2, "2")
        volume.write({"KEY": "3"})
        assert reloader.snapshot().KEY == 3
        assert len([line for line in lines(logged) if "no thread can be started" in line]) == 1
        monkeypatch.setattr(sessions, "POLL_EVERY", 0.0)
        reloader.start()
        other = get_reloader(make_settings(volume.directory))
        assert other.status().problems == status.problems
        assert len([line for line in lines(logged) if "no thread can be started" in line]) == 1
    assert reloader.status().healthy
    volume.write({"KEY": "4"})
    eventually(lambda: settings.KEY == 4)
    assert not reloader.status().problems


def test_start_revives_a_watch_that_has_ended(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that is no more shows as unhealthy, with the remedy; `start()` is the remedy."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    with monkeypatch.context() as patched:
        patched.setattr("dynaconf_k8s_reload._watch.watcher.Watcher._run", lambda *_: None)
        reloader = get_reloader(settings)
        eventually(lambda: reloader.status().watching == "off")
    status = reloader.status()
    assert (status.healthy, status.problems) == (
        False,
        ("the watch has ended; start() revives it",),
    )
    reloader.start()
    volume.write({"KEY": "2"})
    eventually(lambda: settings.KEY == 2)
    assert reloader.status().healthy


def test_a_comparison_that_fails_is_told_once(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    """Without memory for a comparison there is one line and one problem, and then it goes on."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    reloader = get_reloader(settings)
    eventually(lambda: reloader.status().watching == "events")
    looks = 0

    def fail(path: str) -> Any:
        nonlocal looks
        looks += 1
        raise MemoryError("s3cret")

    with monkeypatch.context() as patched:
        patched.setattr(watches, "token", fail)
        volume.write({"KEY": "2"})
        eventually(lambda: looks > 2)
        (problem,) = reloader.status().problems
    place = f"the comparison of {volume.directory}"
    assert problem.startswith(f"{place} failed and is made again: MemoryError")
    assert len([line for line in lines(logged) if place in line]) == 1
    assert "s3cret" not in logged.text
    eventually(lambda: settings.KEY == 2)
    eventually(lambda: not reloader.status().problems)


def test_an_entry_that_cannot_be_read_is_one_problem(
    tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    """A link to itself in a plain directory: one line that names it, one problem, no storm."""
    (tmp_path / "KEY").write_text("1")
    settings = make_settings(tmp_path, k8s_resync=0.2, k8s_debounce=0)
    reloader = get_reloader(settings)
    eventually(lambda: reloader.status().watching == "events")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "KEY").write_text("2")
    told = f"mount {tmp_path}: loop cannot be read (ELOOP); look at the volume"
    eventually(lambda: reloader.status().problems == (told,) and len(lines(logged)) == 1)
    said = len(logged.messages)
    looks = reloader.status().checked_at
    eventually(lambda: reloader.status().checked_at != looks)
    assert reloader.status().problems == (told,)
    assert len(lines(logged)) == 1
    assert "without an event" not in "".join(logged.messages[said:])  # of nothing new
    (tmp_path / "loop").unlink()
    eventually(lambda: settings.KEY == 2)
    eventually(lambda: not reloader.status().problems)


def test_what_could_not_be_read_is_read_again_within_a_second(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the resync is: nothing tells when there are descriptors again."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory, k8s_resync=3600)
    reloader = get_reloader(settings)
    eventually(lambda: reloader.status().watching == "events")
    with monkeypatch.context() as patched:
        patched.setattr(reading, "visible", _no_descriptor)
        volume.write({"KEY": "2"})
        eventually(lambda: "EMFILE" in str(reloader.status().last_error))
        assert any("EMFILE" in problem for problem in reloader.status().problems)
    eventually(lambda: settings.KEY == 2)
    assert (reloader.status().last_error, reloader.status().problems) == (None, ())


def _no_descriptor(*_: object) -> Any:
    raise OSError(24, "Too many open files")


@pytest.mark.parametrize("started", [0, 1, 2])
def test_threads_that_watchdog_cannot_start_leave_no_inotify_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: int
) -> None:
    """Whichever of its threads is the first that cannot be started, it is polled instead."""
    usual, count = threading.Thread.start, 0

    def start(thread: threading.Thread) -> None:
        nonlocal count
        count += 1
        if count > started:
            raise RuntimeError("can't start new thread")
        usual(thread)

    before = open_descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        events = Events(lambda: None)
        events.keep([str(tmp_path)])
    assert events.problem.startswith("no events (watchdog failed (RuntimeError));")
    eventually(lambda: open_descriptors() <= before, collecting=True)
