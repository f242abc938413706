"""Keeping the last good content: what is written, who may read it, and what is not believed."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._reload import last_good
from dynaconf_k8s_reload._reload.last_good import UnusableError, keep, recall
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot
from support import eventually

READ = [
    Snapshot(Mount("/config"), Token(), present=True, files={"A": b"good", "RAW": b"\xff\0"}),
    Snapshot(Mount("/secrets", secret=True), Token(), present=True, files={"KEY": b"hunter2"}),
]
REFUSED = [
    Snapshot(Mount("/config"), Token(), present=True, files={"A": b"bad"}),
    Snapshot(Mount("/secrets", secret=True), Token(), present=True, files={"KEY": b"new"}),
]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on a disk, whatever the machine's temporary directory is."""
    monkeypatch.setattr(last_good, "IN_MEMORY", ())
    return tmp_path / "kept"


def kept(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_what_was_kept_takes_the_place_of_what_is_refused(directory: Path) -> None:
    """Text and bytes come back; the secret mount is as it is now, and never reaches the disk."""
    keep(str(directory), READ)
    recalled = recall(str(directory), REFUSED)
    assert [dict(each.files) for each in recalled.snapshots] == [READ[0].files, {"KEY": b"new"}]
    written = kept(directory).read_bytes()
    assert b"KEY" not in written
    assert b"aHVudGVyMg" not in written
    at = time.strptime(recalled.written_at, "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(time.gmtime()) - time.mktime(at)) < 60


@pytest.mark.skipif(
    not (os.access("/dev/shm", os.W_OK) and last_good._is_in_memory("/dev/shm")),
    reason="/dev/shm is not in memory",
)
def test_a_secret_is_kept_in_memory_only() -> None:
    """In a directory of a tmpfs the secret mount is kept as well."""
    directory = f"/dev/shm/last-good-{os.getpid()}"
    try:
        keep(directory, READ)
        assert dict(recall(directory, REFUSED).snapshots[1].files) == {"KEY": b"hunter2"}
    finally:
        for name in os.listdir(directory):
            os.unlink(f"{directory}/{name}")
        os.rmdir(directory)


def test_an_unknown_file_system_is_no_memory() -> None:
    """One that the table of mounts does not have."""
    assert not last_good._is_in_memory("/proc/self/ns/mnt")


def test_only_its_user_can_read_it(directory: Path) -> None:
    """Directory and file are for the user alone, whatever the umask is."""
    umask = os.umask(0)
    try:
        keep(str(directory), READ)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept(directory).stat().st_mode) == 0o600


def test_the_same_content_is_not_written_again(directory: Path) -> None:
    """Each worker that starts finds it there; other content replaces it."""
    keep(str(directory), READ)
    before = kept(directory).stat().st_ino
    keep(str(directory), READ)
    assert kept(directory).stat().st_ino == before
    keep(str(directory), REFUSED)
    assert dict(recall(str(directory), READ).snapshots[0].files) == {"A": b"bad"}


def test_other_mounts_have_a_file_of_their_own(directory: Path) -> None:
    """Applications of one pod may share the directory."""
    keep(str(directory), READ)
    keep(str(directory), READ[:1])
    assert len(list(directory.iterdir())) == 2
    with pytest.raises(UnusableError, match="none was kept"):
        recall(str(directory), READ[1:])


def damage(content: bytes) -> dict[str, bytes]:
    head, _, rest = content.partition(b"\n")
    return {
        "empty": b"",
        "cut short": content[:-1],
        "its first half": content[: len(content) // 2],
        "another bit": content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
        "another version": content.replace(b"last good 1", b"last good 2"),
        "another hash": head[:-1] + b"x\n" + rest,
        "no text": b"\xff" * 100,
        "a hash that is no text": last_good.MAGIC + b"\xff\n" + rest,
    }


@pytest.mark.parametrize("how", damage(b"four"))
def test_a_damaged_file_is_not_believed(directory: Path, how: str) -> None:
    """Whatever is wrong with it, the reason says so; the next good content replaces it."""
    keep(str(directory), READ)
    path = kept(directory)
    path.write_bytes(damage(path.read_bytes())[how])
    with pytest.raises(UnusableError, match="damaged"):
        recall(str(directory), REFUSED)
    keep(str(directory), READ)
    recall(str(directory), REFUSED)


def test_a_file_of_somebody_else_is_not_believed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that others may read or write, or that another user has written, may be planted."""
    keep(str(directory), READ)
    kept(directory).chmod(0o640)
    with pytest.raises(UnusableError, match="this process's user alone"):
        recall(str(directory), REFUSED)
    kept(directory).chmod(0o600)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(UnusableError, match="this process's user alone"):
        recall(str(directory), REFUSED)


def test_what_is_no_file_is_not_read(directory: Path, tmp_path: Path) -> None:
    """A link, a directory or a FIFO in its place is refused without waiting."""
    keep(str(directory), READ)
    path = kept(directory)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableError, match="ELOOP"):
        recall(str(directory), REFUSED)
    path.unlink()
    path.mkdir()
    with pytest.raises(UnusableError, match="not a file"):
        recall(str(directory), REFUSED)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(UnusableError, match="not a file"):
        recall(str(directory), REFUSED)


@pytest.mark.parametrize("function", ["write", "rename", "open"])
def test_a_full_disk_leaves_what_was_there(
    directory: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """Whichever step fails, the error is told, nothing unfinished stays, the old file does."""
    keep(str(directory), READ)

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        if function == "open":
            patch.setattr("tempfile.mkstemp", fail)
        elif function == "write":
            patch.setattr("os.fdopen", fail_after(os.fdopen))
        else:
            patch.setattr(os, function, fail)
        with pytest.raises(OSError, match=r"full|No space"):
            keep(str(directory), REFUSED)
    assert dict(recall(str(directory), REFUSED).snapshots[0].files) == READ[0].files
    assert len(list(directory.iterdir())) == 1


def fail_after(fdopen: Any) -> Any:
    """Open ``/dev/full`` in the place of a file that is to be written."""

    def opened(descriptor: int, mode: str, **keywords: Any) -> Any:
        if mode == "wb":
            os.dup2(full := os.open("/dev/full", os.O_WRONLY), descriptor)
            os.close(full)
        return fdopen(descriptor, mode, **keywords)

    return opened


PROGRAM = """
import sys
from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._reload.last_good import keep
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot

print("ready", flush=True)
number = 0
while True:
    number += 1
    files = {f"KEY_{index}": str(number).encode() * 1000 for index in range(20)}
    keep(sys.argv[1], [Snapshot(Mount("/config"), Token(), present=True, files=files)])
"""


def test_a_writer_that_is_killed_leaves_one_content(directory: Path) -> None:
    """Killed at any moment, again and again: what is there can be read, and is of one writing."""
    read = [Snapshot(Mount("/config"), Token(), present=True)]
    for pause in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, directory], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            process.stdout.readline()
            eventually(lambda: list(directory.glob(f"{last_good.NAME}*")))
            time.sleep(0.01 + pause * 0.0007)  # any moment will do
            process.send_signal(signal.SIGKILL)
        (recalled,) = recall(str(directory), read).snapshots
        assert len(recalled.files) == 20
        assert len(set(recalled.files.values())) == 1


def test_what_killed_writers_left_is_removed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unfinished file that is old goes with the next writing; a fresh one is somebody's."""
    directory.mkdir()
    old, fresh = (directory / f"{last_good.UNFINISHED}{name}" for name in ("old", "fresh"))
    old.touch()
    fresh.touch()
    os.utime(old, (1, 1))
    keep(str(directory), READ)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_the_file_is_plain_json_below_its_first_lines(directory: Path) -> None:
    """A person can see with common tools what it holds."""
    keep(str(directory), READ)
    head, at, body = kept(directory).read_bytes().split(b"\n")
    assert head.startswith(b"dynaconf-k8s-reload last good 1 ")
    assert at.endswith(b"Z")
    assert [each["path"] for each in json.loads(body)] == ["/config"]
