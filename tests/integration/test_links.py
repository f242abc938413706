"""Links are followed inside a mount only, and an entry that cannot be read is told by its name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import Mount, MountError, get_reloader
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._source.fingerprint import token
from dynaconf_k8s_reload._source.reader import Reader
from dynaconf_k8s_reload._source.reading import read
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

OUTSIDE = "what is none of the application's business"


@pytest.fixture(params=["a volume", "a plain directory"])
def mount(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory in which a hand may put links, in its generation where it is a volume."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text(OUTSIDE)
    path = tmp_path / "config"
    if request.param == "a volume":
        AtomicWriter(path).write({"A": "1", "sub/x": "1"})
    else:
        (path / "sub").mkdir(parents=True)
        (path / "A").write_text("1")
        (path / "sub" / "x").write_text("1")
    return path


def held_in(mount: Path) -> Path:
    """The directory that has the keys."""
    return Path(os.path.realpath(mount / "..data")) if (mount / "..data").exists() else mount


OUTWARDS: dict[str, Callable[[Path], str | Path]] = {
    "absolute": lambda outside: outside,
    "relative": lambda outside: os.path.relpath(outside, outside.parents[1] / "config" / "x"),
    "the system's": lambda _: "/etc/passwd",
    "a directory": lambda outside: outside.parent,
    "the root": lambda _: "/",
    "of another process": lambda _: "/proc/self/environ",
    "by a second link": lambda _: "HOP",
    "nowhere": lambda outside: outside.parent / "absent",
}


@pytest.mark.parametrize("target", OUTWARDS)
def test_a_link_that_leads_out_is_left_out(target: str, mount: Path) -> None:
    """Wherever it leads out, a link is not followed, and it is named with the remedy."""
    data, outside = held_in(mount), mount.parent / "outside" / "file"
    (data / "HOP").symlink_to(outside)
    (data / "B").symlink_to(OUTWARDS[target](outside))
    (data / "sub" / "C").symlink_to(outside)
    snapshot = read(Mount(str(mount)))
    assert snapshot.files == {"A": b"1", "sub/x": b"1"}
    assert snapshot.outside == ("B", "HOP", "sub/C")
    assert "left out (B, HOP, sub/C); put the files themselves there" in str(snapshot.left_out)
    assert read(Mount(str(mount), exclude=("*",))).outside == ()


def test_a_link_that_stays_inside_is_followed(mount: Path) -> None:
    """A link to a file of the mount is a key, however it is written; one to nothing is none."""
    data = held_in(mount)
    (data / "B").symlink_to("A")
    (data / "C").symlink_to(data / "sub" / ".." / "sub" / "x")
    (data / "sub" / "D").symlink_to("../B")
    (data / "LATER").symlink_to("nothing")
    (data / "BELOW").symlink_to("A/nothing")
    (data / "DIRECTORY").symlink_to("sub")
    snapshot = read(Mount(str(mount)))
    assert list(snapshot.files) == ["A", "B", "C", "sub/D", "sub/x"]
    assert snapshot.left_out is None


def test_a_volume_that_leads_out_is_refused(mount: Path) -> None:
    """Of a ``..data`` that leads out nothing is read, rather than everything left out."""
    (mount / "..data").unlink(missing_ok=True)
    (mount / "..data").symlink_to("../outside")
    with pytest.raises(MountError, match=r"\.\.data leads out of the mount, so nothing of it is"):
        read(Mount(str(mount)))


def test_what_is_left_out_is_told_once(mount: Path, logged: pytest.LogCaptureFixture) -> None:
    """The links stand in the mount's problem and in one line of the log, until they are gone."""
    settings = make_settings(mount, k8s_watch=False)
    reloader = get_reloader(settings)
    for name in ("B", "C", "D", "E"):
        (held_in(mount) / name).symlink_to("/etc/passwd")
    for _ in range(3):
        assert reloader.reload().outcome == "unchanged"
        assert "(B, C, D and 1 more)" in str(reloader.status().mounts[0].problem)
    assert settings.get("B") is None
    assert "B" not in os.environ
    assert logged.text.count("links that lead out of it are left out") == 1
    for name in ("B", "C", "D", "E"):
        (held_in(mount) / name).unlink()
    reloader.reload()
    assert reloader.status().mounts[0].problem is None


def test_a_settings_file_that_leads_out(mount: Path) -> None:
    """dynaconf opens it: the mount's problem says so, and a reload takes it like any outside."""
    outside, link = mount.parent / "outside" / "app.toml", mount / "app.toml"
    outside.write_text("LIMIT = 1")
    link.symlink_to(outside)
    if held_in(mount) != mount:
        (held_in(mount) / "app.toml").symlink_to(outside)
    settings = make_settings(mount, settings_files=[str(link)], k8s_watch=False)
    reloader = get_reloader(settings)
    assert settings.LIMIT == 1
    problem = str(reloader.status().mounts[0].problem)
    assert "left out (app.toml), though dynaconf opens app.toml if settings_files" in problem
    outside.write_text("LIMIT = 22")
    assert reloader.reload().outcome == "applied"
    assert settings.LIMIT == 22


def test_a_link_to_itself_refuses_an_update(tmp_path: Path) -> None:
    """What cannot be resolved is refused by its name; the others' last content goes on serving."""
    (tmp_path / "A").write_text("1")
    settings = make_settings(tmp_path, k8s_watch=False)
    reloader = get_reloader(settings)
    (tmp_path / "A").write_text("2")
    (tmp_path / "loop\n").symlink_to("loop\n")
    assert token(str(tmp_path)) == token(str(tmp_path))
    result = reloader.reload()
    assert result.outcome == "rejected"
    assert r"loop\n cannot be read (ELOOP); look at the volume" in str(result.error)
    assert "loop" in str(reloader.status().mounts[0].problem)
    assert settings.A == 1
    (tmp_path / "loop\n").unlink()
    reloader.following.changed()
    assert (settings.A, reloader.status().mounts[0].problem) == (2, None)


def test_a_directory_that_cannot_be_read(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as itself, not as the mount, and an exclude leaves it out."""
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("/sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert token(str(mount)) == token(str(mount))
    with pytest.raises(MountError, match=r"sub/ cannot be read \(EACCES\); let the process's"):
        read(Mount(str(mount)))
    assert read(Mount(str(mount), exclude=("sub/*",))).files == {"A": b"1"}


@pytest.mark.parametrize("late", [False, True])
def test_a_fifo_is_never_waited_for(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe is no key, even one that has taken a file's place at the last moment."""
    (tmp_path / "A").write_text("1")
    real = os.open

    def swap(path: Any, *args: Any, **kwargs: Any) -> int:
        if late and path == "A":
            (tmp_path / "A").unlink()
            os.mkfifo(tmp_path / "A")
        return real(path, *args, **kwargs)

    if not late:
        (tmp_path / "A").unlink()
        os.mkfifo(tmp_path / "A")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swap)
        (snapshot,) = Reader().read_first(Options((Mount(str(tmp_path)),)))
    assert snapshot.files == {}


def test_a_link_in_place_of_a_file_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is replaced by a link after it was looked at is not followed either."""
    (tmp_path / "A").write_text("1")
    real = os.open

    def swap(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == "A":
            (tmp_path / "A").unlink()
            (tmp_path / "A").symlink_to("/etc/passwd")
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swap)
        snapshot = read(Mount(str(tmp_path)))
    assert (snapshot.files, snapshot.outside) == ({}, ("A",))


@pytest.mark.parametrize("before", ["sub", "x"])
def test_a_link_in_place_of_a_directory_at_the_last_moment(
    before: str, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a directory that is replaced by a link, before it is opened or what is in it."""
    (mount.parent / "outside" / "x").write_text(OUTSIDE)
    data = held_in(mount)
    real = os.open

    def swap(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == before and not (data / "sub").is_symlink():
            (data / "sub").rename(data.parent / "..was")
            (data / "sub").symlink_to(mount.parent / "outside")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", swap)
    in_the_way = r"sub/x cannot be read \(ENOTDIR\); look at the volume"
    is_told = before == "sub" and data != mount  # a plain directory's token differs: once more
    with pytest.raises(MountError, match=in_the_way) if is_told else nullcontext():
        assert read(Mount(str(mount))).files.get("sub/x", b"1") == b"1"
    assert (data / "sub").is_symlink()
    assert "sub/x" not in read(Mount(str(mount))).files


A_HOSTILE_WRITER = """
import os, sys
os.chdir(sys.argv[1])
os.symlink("../../outside", "..link")
while True:
    for there, away in (("..link", "..sub"), ("..sub", "..link")):
        os.rename("sub", away)
        os.rename(there, "sub")
        sum(range(2000))
"""


def test_nothing_outside_is_read_whoever_swaps_links(tmp_path: Path) -> None:
    """While a process puts a link in the place of a directory, again and again, nothing shows."""
    data = tmp_path / "config" / "..1"  # a volume, whose token tells nothing of what is within
    for path, text in ((data / "sub", "inside"), (tmp_path / "outside", OUTSIDE)):
        path.mkdir(parents=True)
        for number in range(50):
            (path / str(number)).write_text(text)
    (data.parent / "..data").symlink_to(data.name)
    writer = subprocess.Popen([sys.executable, "-c", A_HOSTILE_WRITER, data])
    met, left_out, deadline = 0, 0, time.monotonic() + 20
    try:
        while time.monotonic() < deadline and not (met > 3 and left_out > 3):
            try:
                snapshot = read(Mount(str(data.parent)), seconds=0.05)
            except MountError:
                met += 1  # it came between finding and reading
                continue
            assert OUTSIDE.encode() not in snapshot.files.values()
            left_out += bool(snapshot.outside)
    finally:
        writer.kill()
        writer.wait()
    assert met
    assert left_out


def test_an_error_of_reading_holds_no_content(volume: AtomicWriter) -> None:
    """No frame of the error has what had been read before it, nor do the errors behind it."""
    volume.write({"A": "s3cret", "BIG": "s3cret" * 200_000})
    with pytest.raises(MountError) as caught:
        read(Mount(str(volume.directory)))
    error = caught.value
    assert error.__context__ is None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename != __file__:
            assert "s3cret" not in repr(trace.tb_frame.f_locals)
        trace = trace.tb_next
