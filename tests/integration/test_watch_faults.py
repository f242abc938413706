"""Every way in which a watch goes blind, on the real file system with real inotify."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

import pytest

from applications import Application
from dynaconf_k8s_reload import Status, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings, open_descriptors

RESYNC = 0.4  # for what only a comparison can notice
NO_RESYNC = 3600.0  # for what an event must bring


def status(settings: Any) -> Status:
    found: Status = get_reloader(settings).status()
    return found


def watched(*mounts: Path, resync: float = NO_RESYNC, **options: Any) -> Any:
    settings = make_settings(*mounts, k8s_resync=resync, **options)
    assert settings.get("KEY", "absent")
    eventually(lambda: status(settings).watching != "off")
    return settings


def arrives(settings: Any, text: str, seconds: float = 10.0) -> None:
    eventually(lambda: text == settings.get("KEY") == os.environ.get("KEY"), seconds)


def recovers(settings: Any) -> None:
    eventually(lambda: status(settings).watching == "events")


def our_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("k8s-reload")]


@pytest.mark.parametrize("order", ["current", "1.20"])
def test_the_last_of_a_burst_is_live(tmp_path: Path, order: Literal["current", "1.20"]) -> None:
    """After a burst of 500 swaps the last one is what is served."""
    volume = AtomicWriter(tmp_path / "config", order=order)
    volume.write({"KEY": "zero"})
    settings = watched(volume.directory)
    for number in range(500):
        volume.write({"KEY": f"number {number}", f"MYAPP_NEW_{number}": "1"})
    arrives(settings, "number 499")
    assert settings.NEW_499 == 1
    assert settings.get("NEW_498") is None
    assert "MYAPP_NEW_498" not in os.environ


def test_a_directory_is_removed_and_recreated(volume: AtomicWriter) -> None:
    """While it is gone its last content serves and the status says so; then events come again."""
    volume.write({"KEY": "one"})
    settings = watched(volume.directory, resync=RESYNC)
    recovers(settings)
    shutil.rmtree(volume.directory)
    eventually(lambda: not status(settings).mounts[0].present)
    assert status(settings).mounts[0].problem
    assert status(settings).watching == "polling"
    assert settings.KEY == os.environ["KEY"] == "one"
    volume.write({"KEY": "two"})
    arrives(settings, "two")
    eventually(lambda: status(settings).mounts[0].problem is None)
    recovers(settings)
    volume.write({"KEY": "three"})
    arrives(settings, "three")


def test_a_directory_is_replaced_in_a_moment(volume: AtomicWriter, tmp_path: Path) -> None:
    """A directory removed and made again between two looks, perhaps with the same inode number."""
    volume.write({"KEY": "zero"})
    settings = watched(volume.directory, resync=RESYNC)
    for number in range(5):
        shutil.rmtree(volume.directory)
        volume.write({"KEY": f"number {number}"})
        arrives(settings, f"number {number}")
    eventually(lambda: status(settings).watching == "events")
    volume.write({"KEY": "last"})
    arrives(settings, "last")


def test_a_parent_is_renamed_away_and_replaced(tmp_path: Path) -> None:
    """The directory above the mount goes, and another one takes its place."""
    volume = AtomicWriter(tmp_path / "above" / "config")
    volume.write({"KEY": "one"})
    settings = watched(volume.directory, resync=RESYNC)
    recovers(settings)
    (tmp_path / "above").rename(tmp_path / "away")
    volume.write({"KEY": "two"})
    arrives(settings, "two")
    recovers(settings)
    volume.write({"KEY": "three"})
    arrives(settings, "three")


def test_a_mount_that_is_a_link_is_repointed(tmp_path: Path) -> None:
    """What the link names is watched, and another one once it names another."""
    one, two = AtomicWriter(tmp_path / "one"), AtomicWriter(tmp_path / "two")
    one.write({"KEY": "one"})
    two.write({"KEY": "two"})
    link = tmp_path / "link"
    link.symlink_to("one")
    settings = watched(link, resync=RESYNC)
    recovers(settings)
    one.write({"KEY": "one and a half"})
    arrives(settings, "one and a half")
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(link)
    arrives(settings, "two")
    recovers(settings)
    two.write({"KEY": "three"})
    arrives(settings, "three")


def test_a_directory_appears_later(tmp_path: Path) -> None:
    """A mount that is absent at the start is compared every second, and watched once there."""
    settings = watched(tmp_path / "config")
    assert status(settings).watching == "polling"
    volume = AtomicWriter(tmp_path / "config")
    volume.write({"KEY": "one"})
    arrives(settings, "one")
    recovers(settings)
    volume.write({"KEY": "two"})
    arrives(settings, "two")


def test_what_a_killed_kubelet_left_does_no_harm(volume: AtomicWriter) -> None:
    """A left-over ..data_tmp is no key, and the next swap arrives."""
    volume.write({"KEY": "one"})
    (volume.directory / "..data_tmp").symlink_to("nowhere")
    settings = watched(volume.directory)
    assert status(settings).mounts[0].keys == 1
    volume.write({"KEY": "two"})
    arrives(settings, "two")


def test_an_emptied_mount_takes_its_keys_along(volume: AtomicWriter) -> None:
    """An optional ConfigMap that is deleted empties the mount: its keys go, from both places."""
    volume.write({"KEY": "one"})
    settings = watched(volume.directory)
    volume.write({})
    eventually(lambda: settings.get("KEY") is None and "KEY" not in os.environ)
    assert status(settings).mounts[0].present
    volume.write({"KEY": "two"})
    arrives(settings, "two")


def test_a_plain_directory_is_followed_file_by_file(tmp_path: Path) -> None:
    """An edit of a plain directory arrives by an event, after its quiet time."""
    (tmp_path / "KEY").write_text("one")
    settings = watched(tmp_path)
    recovers(settings)
    (tmp_path / "KEY").write_text("two")
    arrives(settings, "two")


# starting and stopping


def test_starting_and_stopping_any_number_of_times(volume: AtomicWriter) -> None:
    """However often it is done, a started watch follows, a stopped one is gone at once."""
    volume.write({"KEY": "zero"})
    settings = watched(volume.directory)
    recovers(settings)
    reloader = get_reloader(settings)
    threads, descriptors = threading.active_count(), open_descriptors()
    for _ in range(20):
        started = time.monotonic()
        reloader.stop()
        reloader.stop()
        assert time.monotonic() - started < 10  # of the 30 that it may wait
        eventually(lambda: not our_threads())
        reloader.start()
        reloader.start()
    recovers(settings)
    volume.write({"KEY": "one"})
    arrives(settings, "one")
    eventually(lambda: threading.active_count() <= threads)
    eventually(lambda: open_descriptors() <= descriptors)


def test_two_settings_on_one_mount_share_one_observer(volume: AtomicWriter) -> None:
    """The second settings object costs no thread and no descriptor, and both follow."""
    volume.write({"KEY": "zero"})
    first = watched(volume.directory)
    recovers(first)
    threads, descriptors = threading.active_count(), open_descriptors()
    second = watched(volume.directory)
    recovers(second)
    eventually(lambda: threading.active_count() <= threads)
    eventually(lambda: open_descriptors() <= descriptors)
    volume.write({"KEY": "one"})
    arrives(first, "one")
    arrives(second, "one")
    get_reloader(first).stop()
    volume.write({"KEY": "two"})
    arrives(second, "two")
    assert first.KEY == "one"


def test_at_most_two_threads_are_ours(volume: AtomicWriter) -> None:
    """One thread watches, and one more calls subscribers once there are any."""
    volume.write({"KEY": "zero"})
    settings = watched(volume.directory)
    eventually(lambda: our_threads() == ["k8s-reload-watch"])
    heard = threading.Event()
    get_reloader(settings).on_change()(lambda changes: heard.set())
    volume.write({"KEY": "one"})
    assert heard.wait(10)
    eventually(lambda: sorted(our_threads()) == ["k8s-reload-notify", "k8s-reload-watch"])


def test_settings_that_are_collected_leave_no_watch(volume: AtomicWriter) -> None:
    """When the last reference to the settings goes, so do thread and observer, long before a
    resync."""
    volume.write({"KEY": "zero"})
    threads = threading.active_count()
    settings = watched(volume.directory)
    get_reloader(settings).stop(restore=True)
    get_reloader(settings).start()
    os.environ.pop("KEY")
    recovers(settings)
    del settings
    eventually(lambda: threading.active_count() <= threads, collecting=True)


# in a process of its own


def test_an_unmount_and_a_remount_are_survived(volume: AtomicWriter, tmp_path: Path) -> None:
    """A bind mount that goes and another one that comes are followed, and events come again."""
    (tmp_path / "mount").mkdir()
    volume.write({"KEY": "one"})
    other = AtomicWriter(tmp_path / "other")
    other.write({"KEY": "two"})
    mount = str(tmp_path / "mount")
    first = f"namespaces.enter(); namespaces.bind({str(volume.directory)!r}, {mount!r})"
    with Application(mount, first=first, k8s_resync=RESYNC) as application:
        application.follows("one")
        application.eventually("reloader.status().watching", "events")
        assert application(f"namespaces.unmount({mount!r})")
        application.eventually("reloader.status().mounts[0].problem is not None")
        application.follows("one")
        assert application(f"namespaces.bind({str(other.directory)!r}, {mount!r})")
        application.follows("two")
        application.eventually("reloader.status().watching", "events")
        other.write({"KEY": "three"})
        application.follows("three")


def test_another_file_system_with_the_same_numbers_is_noticed(tmp_path: Path) -> None:
    """A new tmpfs may have its predecessor's device and inode: what no event told makes a new
    observer."""
    mount = str(tmp_path)
    first = (
        "namespaces.enter(); from dynaconf_k8s_reload.testing import AtomicWriter; "
        f"namespaces.mount_tmpfs({mount!r}); writer = AtomicWriter({mount!r}); "
        "writer.write({'KEY': 'one'})"
    )
    rest = "time.sleep(1)"  # until it no longer looks because of the last hint
    with Application(mount, first=first, k8s_resync=1.5) as application:
        application.follows("one")
        application.eventually("reloader.status().watching", "events")
        application(rest)
        remount = (
            "[os.stat({0!r})[1:3], namespaces.unmount({0!r}), namespaces.mount_tmpfs({0!r}), "
            "writer.write({{'KEY': 'two'}}), os.stat({0!r})[1:3]]"
        )
        before, *_, after = application(remount.format(mount))
        assert before == after
        application.follows("two")
        application.eventually("any('without an event' in line for line in logged)")
        application(rest)
        looked = application("str(reloader.status().checked_at)")
        application.eventually(f"str(reloader.status().checked_at) != {looked!r}")
        application("writer.write({'KEY': 'three'})")  # right after a look: its event comes first
        application.follows("three")
        assert sum("without an event" in line for line in application("logged")) == 1


def test_a_sub_path_is_told_of(volume: AtomicWriter, tmp_path: Path) -> None:
    """What is mounted by itself never changes: log and status say so, and it stays healthy."""
    volume.write({"KEY": "one"})
    file = tmp_path / "mount" / "KEY"
    file.parent.mkdir()
    file.touch()
    first = f"namespaces.enter(); namespaces.bind('{volume.directory}/..data/KEY', '{file}')"
    with Application(file.parent, first=first, k8s_resync=RESYNC) as application:
        application.follows("one")
        problem = application("reloader.status().mounts[0].problem")
        assert problem.startswith(f"mount {file.parent}: no update reaches")
        assert str(file) in problem
        assert application("reloader.status().problems") == [problem]
        assert application("reloader.status().healthy")
        assert application(f"sum({problem!r} in line for line in logged)") == 1


def test_lost_permission_is_reported_and_its_return_noticed(volume: AtomicWriter) -> None:
    """Without permission to read, the last good content serves and the status tells why."""
    mount = str(volume.directory)
    volume.write({"KEY": "one"})
    with Application(mount, first="namespaces.drop_privileges()", k8s_resync=RESYNC) as application:
        application.follows("one")
        application.eventually("reloader.status().watching", "events")
        os.chmod(mount, 0)
        application.eventually("reloader.status().mounts[0].problem is not None")
        application.eventually("reloader.status().watching", "polling")
        assert "EACCES" in application("reloader.status().mounts[0].problem")
        application.follows("one")
        os.chmod(mount, 0o755)
        volume.write({"KEY": "two"})
        application.follows("two")
        application.eventually("reloader.status().mounts[0].problem", None)
        application.eventually("reloader.status().watching", "events")
        volume.write({"KEY": "three"})
        application.follows("three")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("instances=0, watches=100", "max_user_instances"),
        ("instances=100, watches=0", "max_user_watches"),
    ],
)
def test_without_inotify_it_polls_until_there_is_some(
    volume: AtomicWriter, limits: str, words: str
) -> None:
    """Exhausted instances or watches: one warning, a poll each second, and one line on recovery."""
    volume.write({"KEY": "one"})
    first = f"namespaces.enter(); namespaces.limit({limits})"
    with Application(volume.directory, first=first, k8s_resync=NO_RESYNC) as application:
        application.follows("one")
        application.eventually("reloader.status().watching", "polling")
        assert application("reloader.status().healthy")
        volume.write({"KEY": "two"})
        application.follows("two")
        descriptors = application("len(os.listdir('/proc/self/fd'))")
        threads = application("threading.active_count()")
        volume.write({"KEY": "three"})
        application.follows("three")
        application.eventually(f"threading.active_count() <= {threads}")
        application.eventually(f"len(os.listdir('/proc/self/fd')) <= {descriptors}")
        application("namespaces.limit(instances=100, watches=100)")
        application.eventually("reloader.status().watching", "events")
        volume.write({"KEY": "four"})
        application.follows("four")
        lines = application("logged")
        assert sum(words in line for line in lines) == 1
        assert sum(line.startswith("WARNING no events") for line in lines) == 1
        assert sum("events come again" in line for line in lines) == 1


def test_an_overflow_of_the_queue_hides_no_change(volume: AtomicWriter) -> None:
    """More events than the kernel keeps, while the process cannot read them, and the last swap
    among the lost: it is served without waiting for a resync."""
    volume.write({"KEY": "one"})
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as file:
        room = int(file.read())
    with Application(volume.directory, k8s_resync=NO_RESYNC) as application:
        application.follows("one")
        application.eventually("reloader.status().watching", "events")
        application.process.send_signal(signal.SIGSTOP)
        for _ in range(room // 2 + 100):
            os.mkdir(volume.directory / "..x")
            os.rmdir(volume.directory / "..x")
        volume.write({"KEY": "two"})
        application.process.send_signal(signal.SIGCONT)
        application.follows("two")
        volume.write({"KEY": "three"})
        application.follows("three")
        application.process.stdin.close()  # type: ignore[union-attr] # reason: it is a pipe
        application.process.wait(30)
        for pipe in (application.process.stdout, application.process.stderr):
            pipe.close()  # type: ignore[union-attr] # reason: as above; watchdog 7 logs an overflow


def test_without_watchdog_it_polls(volume: AtomicWriter) -> None:
    """An environment in which watchdog cannot be imported is followed all the same."""
    volume.write({"KEY": "one"})
    first = "import sys; sys.modules['watchdog'] = None"
    with Application(volume.directory, first=first, k8s_resync=NO_RESYNC) as application:
        application.follows("one")
        volume.write({"KEY": "two"})
        application.follows("two")
        assert application("reloader.status().watching") == "polling"
        assert sum("cannot be imported" in line for line in application("logged")) == 1


def test_under_gevent_it_polls(volume: AtomicWriter) -> None:
    """Under gevent's patches the watch is a greenlet that compares each second."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    volume.write({"KEY": "one"})
    first = (
        "from gevent import monkey; monkey.patch_all(); import gevent\n"
        "from gevent.fileobject import FileObjectThread; sys.stdin = FileObjectThread(sys.stdin)"
    )
    with Application(volume.directory, first=first, k8s_resync=NO_RESYNC) as application:
        application.follows("one")
        volume.write({"KEY": "two"})
        application.follows("two")
        assert application("reloader.status().watching") == "polling"
        assert application("reloader.stop()") is None
        assert application("reloader.status().watching") == "off"
        # Before its greenlet has begun.
        assert application("reloader.start() or reloader.stop()") is None
        assert application("reloader.status().watching") == "off"


# the end of a process

EXIT = """
import signal, sys, threading, time
from dynaconf import Dynaconf
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
writer = AtomicWriter(sys.argv[1])
writer.write({"KEY": "one"})
settings = Dynaconf(loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[sys.argv[1]])
reloader = get_reloader(settings)
inside = threading.Event()

def hang(*_):
    inside.set()
    time.sleep(60)

case = sys.argv[2]
if case == "reload":
    reloader.on_validate(hang)
if case == "subscriber":
    reloader.on_change()(hang)
if case != "idle":
    writer.write({"KEY": "two"})
    inside.wait(30)
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[3] == "stop":
    reloader.stop()
"""


@pytest.mark.parametrize("how", ["end", "stop", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("case", ["idle", "reload", "subscriber"])
def test_the_end_is_quick_and_silent(volume: AtomicWriter, case: str, how: str) -> None:
    """Exit, stop() and signals end a process at once, also while a reload or a subscriber hangs."""
    process = subprocess.Popen(
        [sys.executable, "-c", EXIT, volume.directory, case, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    if how.startswith("SIG"):
        process.send_signal(getattr(signal, how))
    _, errors = process.communicate("go\n" if not how.startswith("SIG") else None, timeout=30)
    took = time.monotonic() - started
    assert took < 15  # of the 30 and 60 that the reload and the subscriber take
    if how == "SIGINT":
        assert errors.endswith("KeyboardInterrupt\n")
        assert "k8s" not in errors
    else:
        assert (errors, process.returncode) == ("", -signal.SIGTERM if how == "SIGTERM" else 0)
