"""What a process publishes of itself in memory, and what another one makes of it."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import Status, get_reloader
from dynaconf_k8s_reload._model import published
from dynaconf_k8s_reload._model.clock import monotonic
from dynaconf_k8s_reload._reload import health, memory_file, progress
from dynaconf_k8s_reload._reload.memory_file import MEMORY_FILE, MemoryFile
from dynaconf_k8s_reload._watch import WATCHER, Watch
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.usefixtures("first_look_is_awaited"),
]

HERE = os.getpid()
QUIET = 0.5  # seconds; one that polls looks every second


@contextmanager
def child(function: Callable[[], object], fork: Callable[[], int] = os.fork) -> Iterator[int]:
    """A forked process that runs a function, says so, and waits to be ended."""
    reader, writer = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            function()
            os.write(writer, b"ready")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    try:
        assert select.select([reader], [], [], 30)[0], "the child hangs"
        assert os.read(reader, 5) == b"ready"
        yield pid
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def fork_in_c() -> int:
    """Fork as an extension does that holds the interpreter's lock: Python does not see it.

    Not while another thread wants the lock: CPython's child would never have it.
    """
    watching = WATCHER._session
    assert watching is not None
    eventually(lambda: watching._wake > monotonic() + QUIET)  # no look is due, however slow it is
    threading.Event().wait(QUIET / 2)  # and the thread waits
    return int(ctypes.PyDLL(None).fork())


def test_it_is_what_status_gives(volume: AtomicWriter) -> None:
    """Whoever reads it from outside sees the same, down to the process's number."""
    volume.write({"KEY": "1"})
    reloader = get_reloader(make_settings(volume.directory))

    def same() -> bool:
        (told,), own = published.statuses(HERE), reloader.status().as_dict()
        return {**told, "checked_at": 0} == {**own, "checked_at": 0}  # a look alone is not written

    eventually(same)
    assert HERE in published.processes()


def test_it_follows(volume: AtomicWriter) -> None:
    """Applied and refused updates are published as they come, none is left for the next resync."""
    volume.write({"KEY": "1"})
    reloader = get_reloader(make_settings(volume.directory, k8s_resync=3600))
    for number in range(2, 20):
        volume.write({"KEY": str(number)})
    eventually(lambda: reloader.status().generation > 1)
    volume.write({"KEY": "@int none"})
    eventually(lambda: reloader.status().rejected == 1)
    eventually(lambda: published.statuses(HERE)[0]["rejected"] == 1)
    eventually(lambda: published.statuses(HERE)[0]["watching"] == "events")
    assert published.statuses(HERE)[0]["generation"] == reloader.status().generation


def test_each_settings_object_has_its_own(volume: AtomicWriter, tmp_path: Path) -> None:
    """Several objects of one process are several entries; one that is stopped has none."""
    other = AtomicWriter(tmp_path / "other")
    reloaders = [
        get_reloader(make_settings(each.directory, k8s_watch=False)) for each in (volume, other)
    ]
    paths = [[m["path"] for m in each["mounts"]] for each in published.statuses(HERE)]
    assert paths == [[str(volume.directory)], [str(other.directory)]]
    reloaders[0].stop()
    assert len(published.statuses(HERE)) == 1
    reloaders.clear()
    gc.collect()
    assert published.statuses(HERE) == []
    assert HERE not in published.processes()


def test_the_newer_of_two_that_are_written_at_once_stays(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that was held up does not leave its older status for as long as nothing changes."""
    volume.write({"KEY": "1"})
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    health = reloader.following._health
    status = health.status
    volume.write({"KEY": "2"})
    another = threading.Thread(target=reloader.reload)

    def held_up(watch: Watch | None) -> Status:
        older = status(watch)
        if another.ident is None:
            another.start()
            another.join()
        return older

    monkeypatch.setattr(health, "status", held_up)
    reloader.following.told()
    assert reloader.status().generation == 2
    assert published.statuses(HERE)[0]["generation"] == 2


def test_what_was_stopped_while_its_status_was_written_is_not_told_of(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that is held up leaves no status that nobody renews, and a probe calls unhealthy."""
    volume.write({"KEY": "1"})
    make_settings(volume.directory)
    stopped = get_reloader(make_settings(volume.directory))
    health = stopped.following._health
    status, is_held_up, goes_on = health.status, threading.Event(), threading.Event()

    def held_up(watch: Watch | None) -> Status:
        older = status(watch)
        is_held_up.set()
        goes_on.wait(10)
        return older

    monkeypatch.setattr(health, "status", held_up)
    volume.write({"KEY": "2"})
    assert is_held_up.wait(10)
    stopped.stop()
    assert stopped.key not in MEMORY_FILE._entries
    put, has_put = MEMORY_FILE.put, threading.Event()

    def note(key: int, text: str) -> None:
        put(key, text)
        if key == stopped.key:
            has_put.set()

    monkeypatch.setattr(MEMORY_FILE, "put", note)
    goes_on.set()
    assert has_put.wait(10)
    eventually(lambda: stopped.key not in MEMORY_FILE._entries)


def test_a_reload_that_outlasts_a_stop_is_not_told_of(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that it takes long nor its end brings back the status of what was stopped."""
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.0)
    volume.write({"KEY": "1"})
    reloader = get_reloader(make_settings(volume.directory))
    reloading = reloader.generations.progress
    reloading.begin()
    reloader.stop()
    reloading.tell()
    reloading.end()
    reloading.tell_end()
    assert published.statuses(HERE) == []


def test_a_child_has_none_until_its_first_use_and_then_its_own(volume: AtomicWriter) -> None:
    """A child that may still start a program is not told of; one that reads settings is."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    assert settings.KEY == 1
    with child(lambda: None) as pid:
        assert published.statuses(pid) == []
        assert pid not in published.processes()
    with child(lambda: settings.KEY) as pid:
        eventually(lambda: published.statuses(pid)[0]["watching"] == "events")
        (status,) = published.statuses(pid)
        assert (status["pid"], status["healthy"]) == (pid, True)
    assert published.statuses(HERE)[0]["pid"] == HERE


def test_a_fork_that_python_does_not_see_is_not_followed_until_it_asks(
    volume: AtomicWriter,
) -> None:
    """What it inherited is its parent's, and told as such; after a call it has its own."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory)
    assert settings.KEY == 1
    with child(lambda: None, fork_in_c) as pid:
        (status,) = published.statuses(pid)
        assert (status["pid"], status["healthy"], status["watching"]) == (pid, False, "off")
        (problem,) = status["problems"]
        assert f"process {pid} is not followed: it has forked from process {HERE}" in problem

    def ask() -> None:
        volume.write({"KEY": "2"})
        status = get_reloader(settings).status()
        assert (settings.KEY, os.environ["KEY"]) == (2, "2")
        assert (status.pid, status.healthy, status.generation) == (os.getpid(), True, 2)
        assert get_reloader(settings).reload().outcome == "unchanged"

    with child(ask, fork_in_c) as pid:
        (status,) = published.statuses(pid)
        assert (status["pid"], status["healthy"], status["generation"]) == (pid, True, 2)
    eventually(lambda: settings.KEY == 2)
    assert published.statuses(HERE)[0]["pid"] == HERE


def test_a_process_that_has_stopped_is_not_healthy(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written last says healthy; that nothing has come since says otherwise."""
    monkeypatch.setattr(health, "LATE_SECONDS", 2.0)
    settings = make_settings(volume.directory, k8s_resync=1)

    def use() -> None:
        assert get_reloader(settings).status().healthy

    with child(use) as pid:
        eventually(lambda: published.statuses(pid)[0]["healthy"])
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: not published.statuses(pid)[0]["healthy"], seconds=20)
        assert "have not been compared for" in published.statuses(pid)[0]["problems"][-1]


def test_a_reload_that_hangs_is_unhealthy_after_half_a_minute() -> None:
    """Whoever reads counts on from when it began, since the process itself may not."""
    status: dict[str, Any] = {"healthy": True, "problems": []}
    for busy, healthy in ((None, True), (monotonic() - 29, True), (monotonic() - 31, False)):
        text = published.entry(status, looked=None, limit=0, busy=busy)
        assert published._judged(json.loads(text))["healthy"] is healthy
    status["problems"] = [
        f"{published.running('/config', 5)}; look at what takes so long",
        "subscriber app has been running for 40 s, and the others wait for it",
    ]
    text = published.entry(status, looked=None, limit=0, busy=monotonic() - 4000)
    reload, subscriber = published._judged(json.loads(text))["problems"]
    assert re.fullmatch(r"a reload of /config has been running for 4\d\d\d s; look at .*", reload)
    assert subscriber == status["problems"][1]


def test_a_value_is_not_in_it(volume: AtomicWriter) -> None:
    """Neither a setting's value nor a refused one's."""
    volume.write({"KEY": "s3cret"})
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    volume.write({"KEY": "@int s3cret"})
    assert reloader.reload().outcome == "rejected"
    assert "s3cret" not in json.dumps(published.statuses(HERE))


# the file itself


@pytest.fixture
def file() -> Iterator[MemoryFile]:
    MEMORY_FILE.abandon()
    made = MemoryFile()
    yield made
    made.abandon()


def test_a_shorter_text_leaves_nothing_of_a_longer_one(file: MemoryFile) -> None:
    """It is overwritten whole, in one call."""
    for number in (40, 3, 30):
        file.put(1, json.dumps("x" * number))
        assert published._read(f"/proc/self/fd/{file._descriptor}") == {
            "pid": HERE,
            "objects": ["x" * number],
        }


def test_a_write_within_a_write_waits_for_nothing(
    file: MemoryFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler in the middle of one leaves its own to the one that it interrupted."""
    usual = os.pwrite

    def interrupted(*arguments: Any) -> int:
        monkeypatch.setattr(os, "pwrite", usual)
        file.put(2, '"handler"')
        return usual(*arguments)

    monkeypatch.setattr(os, "pwrite", interrupted)
    file.put(1, '"interrupted"')
    read = published._read(f"/proc/self/fd/{file._descriptor}")
    assert read is not None
    assert read["objects"] == ["interrupted", "handler"]


def test_a_child_that_collects_an_object_leaves_the_parents_status_alone(file: MemoryFile) -> None:
    """Where Python did not see the fork, nothing has let go of the parent's memory before."""
    file.put(1, '{"object": 1}')
    file.put(2, '{"object": 2}')
    before = os.pread(file._descriptor, 1000, 0)
    with child(lambda: file.drop(1)):
        assert os.pread(file._descriptor, 1000, 0) == before


def test_a_number_that_is_another_file_now_is_left_alone(file: MemoryFile, tmp_path: Path) -> None:
    """A daemon closes all that it has open: what it opens then is not written to, nor closed."""
    file.put(1, '"one"')
    number = file._descriptor
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    os.dup2(other, number)
    os.close(other)
    file.put(1, '"two"')
    assert os.fstat(number).st_size == 0
    assert published._read(f"/proc/self/fd/{file._descriptor}") is not None
    os.close(number)
    os.close(file._descriptor)
    file.drop(1)


def test_where_there_is_none_nothing_is_published(
    file: MemoryFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without descriptors, or on a system without memory files, the application notices nothing."""

    def refuse(name: str) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "memfd_create", refuse)
        file.put(1, '"one"')
    with monkeypatch.context() as patched:
        patched.delattr(os, "memfd_create")
        file.put(1, '"one"')
    assert file._descriptor == -1
    file.put(1, '"two"')
    assert file._descriptor != -1


def test_where_the_newer_status_cannot_be_written_the_older_one_goes(
    file: MemoryFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no longer true, and no message says so."""

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    file.put(1, '"one"')
    assert HERE in published.processes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refuse)
        file.put(1, '"two"')
    assert HERE not in published.processes()
    file.put(1, '"three"')
    read = published._read(f"/proc/self/fd/{file._descriptor}")
    assert read == {"pid": HERE, "objects": ["three"]}


def test_what_cannot_be_read_is_tried_again_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a text is not believed; a file that has gone is none."""
    path = tmp_path / "half"
    path.write_text('{"pid": 1, "obj')
    assert published._read(str(path)) is None
    assert published._read(str(tmp_path / "none")) is None
    monkeypatch.setattr(published, "PROC", str(tmp_path))
    (tmp_path / "1" / "fd").mkdir(parents=True)
    (tmp_path / "2").mkdir()
    (tmp_path / "1" / "fd" / "3").symlink_to("/memfd:dynaconf-k8s-reload (deleted)")
    assert published.processes() == [1]
    assert published.statuses(1) == []
    monkeypatch.setattr(os, "readlink", _gone)
    assert published.statuses(1) == []


def _gone(path: str) -> str:
    raise FileNotFoundError


def test_writing_costs_nothing_to_speak_of(volume: AtomicWriter) -> None:
    """A thousand looks in a row write once in five seconds, and one write takes a moment."""
    volume.write({f"KEY_{number}": "value" for number in range(100)})
    reloader = get_reloader(make_settings(volume.directory))
    eventually(lambda: reloader.status().watching == "events")
    following, started = reloader.following, time.process_time()
    for _ in range(1000):
        following.looked()
    per_look = (time.process_time() - started) / 1000
    started = time.process_time()
    for _ in range(100):
        following._published.write(following._watch)
    per_write = (time.process_time() - started) / 100
    print(f"{per_look * 1e6:.1f} us a look, {per_write * 1e6:.0f} us a write")
    assert per_look < 0.0005
    assert per_write < 0.01
    assert memory_file.SECONDS >= 5


CONTAINED = """
import sys, time
from dynaconf import Dynaconf
settings = Dynaconf(loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[sys.argv[1]])
print(settings.KEY, flush=True)
time.sleep(60)
"""


def test_a_process_of_a_container_is_known_from_outside(volume: AtomicWriter) -> None:
    """It calls itself by a number of its own namespace, and is no child of that number."""
    volume.write({"KEY": "1"})
    contained = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.call([*contained, "true"]):
        pytest.skip("no namespace can be made here")
    with subprocess.Popen(
        [*contained, sys.executable, "-c", CONTAINED, str(volume.directory)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "1\n"
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            (status,) = published.statuses(int(children))
            assert (status["pid"], status["healthy"], status["problems"]) == (1, True, [])
        finally:
            process.kill()
