"""Reading a mount: one generation, whole, of whatever a volume or a developer's directory holds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from dynaconf_k8s_reload import ConfigError, Mount, MountError
from dynaconf_k8s_reload._source.files import MAX_FILE_BYTES, USUAL_FILE_BYTES
from dynaconf_k8s_reload._source.fingerprint import Token, token
from dynaconf_k8s_reload._source.reading import read
from dynaconf_k8s_reload.testing import AtomicWriter

Order = Literal["current", "1.20"]


@pytest.fixture(params=["current", "1.20", "plain"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory with a few keys, as either release of the kubelet or a person writes it."""
    root = tmp_path / "config"
    payload = {"A": b"1", "B": b"", "C.D-e_f": b"\xff\x00", ".env": b"x", "sub/deep/X": b"2"}
    if request.param == "plain":
        for key, content in payload.items():
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(content)
    else:
        AtomicWriter(root, order=request.param).write(payload)
    return root


def files(path: Path, **fields: Any) -> dict[str, bytes]:
    return dict(read(Mount(str(path), **fields)).files)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that others may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def unprivileged(directory: Path) -> str:
    """Read a directory in a process that is not root's, and give the error or the keys."""
    program = (
        "import os, sys\n"
        "from dynaconf_k8s_reload import Mount, MountError\n"
        "from dynaconf_k8s_reload._source.reading import read\n"
        "from dynaconf_k8s_reload._source.fingerprint import token\n"
        "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "print(token(sys.argv[1]).error or '-')\n"
        "try:\n"
        "    print(sorted(read(Mount(sys.argv[1])).files))\n"
        "except MountError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(directory)], capture_output=True, text=True, check=True
    )
    return run.stdout


# content


def test_every_visible_file_is_a_key(directory: Path) -> None:
    """Keys are the visible files with their bytes, nested ones by their path, in order."""
    expected = {".env": b"x", "A": b"1", "B": b"", "C.D-e_f": b"\xff\x00", "sub/deep/X": b"2"}
    assert files(directory) == expected
    assert list(files(directory)) == sorted(expected)


def test_what_a_writer_leaves_is_no_key(directory: Path) -> None:
    """A left-over `..data_tmp`, other names with two dots, and odd entries are no keys."""
    before = files(directory)
    (directory / "..data_tmp").symlink_to("..gone")
    (directory / "..2026_01_01_00_00_00.1").mkdir()
    (directory / "..2026_01_01_00_00_00.1" / "OLD").write_text("old")
    (directory / "..hidden").write_text("hidden")
    (directory / "DANGLING").symlink_to("..data/DANGLING")
    os.mkfifo(directory / "FIFO")
    (directory / "LINKED").symlink_to(directory / "sub")
    (Path(os.fsdecode(os.fsencode(directory) + b"/\xff"))).write_text("no text")
    assert files(directory) == before


def test_an_empty_volume(volume: AtomicWriter) -> None:
    """A volume with `..data` and no key is there, and empty."""
    volume.write({})
    snapshot = read(Mount(str(volume.directory)))
    assert (snapshot.present, dict(snapshot.files)) == (True, {})
    assert snapshot.generation_dir == os.readlink(volume.directory / "..data")


@pytest.mark.parametrize("path", ["absent", "file/below"])
def test_an_absent_directory(tmp_path: Path, path: str) -> None:
    """A directory that is not there is no error, but absent."""
    (tmp_path / "file").write_text("")
    snapshot = read(Mount(str(tmp_path / path)))
    assert (snapshot.present, snapshot.token, snapshot.committed_at) == (False, Token(), None)


def test_the_first_write_has_not_been_published(tmp_path: Path) -> None:
    """Before the first rename nothing is visible, also where the links come first."""
    (tmp_path / "..2026_01_01_00_00_00.1").mkdir()
    (tmp_path / "..2026_01_01_00_00_00.1" / "A").write_text("1")
    (tmp_path / "A").symlink_to("..data/A")
    (tmp_path / "..data_tmp").symlink_to("..2026_01_01_00_00_00.1")
    assert files(tmp_path) == {}


def test_a_mount_path_that_is_a_link(volume: AtomicWriter, tmp_path: Path) -> None:
    """A mount path may be a link; when it points elsewhere, another directory is read."""
    volume.write({"A": "1"})
    second = AtomicWriter(tmp_path / "second")
    second.write({"A": "2"})
    link = tmp_path / "link"
    link.symlink_to(volume.directory)
    assert files(link) == {"A": b"1"}
    before = token(str(link))
    link.unlink()
    link.symlink_to(second.directory)
    assert token(str(link)) != before
    assert files(link) == {"A": b"2"}


def test_data_that_is_a_directory(tmp_path: Path) -> None:
    """A `..data` that is no link makes no volume of a directory."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "A").write_text("hidden")
    (tmp_path / "B").write_text("1")
    assert files(tmp_path) == {"B": b"1"}


@pytest.mark.parametrize("size", [USUAL_FILE_BYTES, USUAL_FILE_BYTES + 1, MAX_FILE_BYTES])
def test_large_files(volume: AtomicWriter, size: int) -> None:
    """A file of up to 1 MiB is read whole."""
    volume.write({"BIG": os.urandom(size)})
    assert files(volume.directory) == volume.payload


# what cannot be read


def test_a_file_that_is_too_large(volume: AtomicWriter) -> None:
    """A file of more than 1 MiB is an error that names it and the remedy."""
    volume.write({"BIG": b"x" * (MAX_FILE_BYTES + 1)})
    with pytest.raises(MountError, match=r"BIG is larger than 1 MiB.*exclude"):
        files(volume.directory)
    assert files(volume.directory, exclude=["BIG"]) == {}


@pytest.mark.parametrize("plain", [False, True])
def test_an_unreadable_file(open_path: Path, plain: bool) -> None:
    """A file without permission is an error that names it and the remedy, not an empty value."""
    directory = open_path / "config"
    AtomicWriter(directory).write({} if plain else {"A": "1", "SECRET": "2"})
    if plain:
        (directory / "..data").unlink()
        for key in ("A", "SECRET"):
            (directory / key).write_text("1")
            (directory / key).chmod(0o644)
    directory.chmod(0o755)
    (directory / "SECRET").chmod(0o600)
    assert unprivileged(directory) == (
        f"-\nmount {directory}: SECRET cannot be read (EACCES); "
        "let the process's user read it (defaultMode, fsGroup)\n"
    )
    (directory / "SECRET").chmod(0o644)
    assert unprivileged(directory) == "-\n['A', 'SECRET']\n"


def test_an_unreadable_directory(open_path: Path) -> None:
    """A plain directory without permission is an error, not an empty mount."""
    directory = open_path / "config"
    directory.mkdir()
    (directory / "A").write_text("1")
    directory.chmod(0o700)
    assert unprivileged(directory).startswith(
        f"EACCES\nmount {directory}: the directory cannot be read (EACCES); let the process's user"
    )


def test_an_unreadable_parent(open_path: Path) -> None:
    """A directory that cannot even be looked at is an error, not an absent mount."""
    directory = open_path / "closed" / "config"
    directory.mkdir(parents=True)
    directory.parent.chmod(0o700)
    program = (
        "import os, sys\nfrom dynaconf_k8s_reload._source.fingerprint import token\n"
        "os.setgroups([]), os.setgid(65534), os.setuid(65534)\nprint(token(sys.argv[1]).error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, directory], capture_output=True, text=True, check=True
    )
    assert run.stdout == "EACCES\n"


def test_a_dangling_data_link(volume: AtomicWriter) -> None:
    """A `..data` that points nowhere is an error that says what will happen."""
    volume.write({"A": "1"})
    (volume.directory / os.readlink(volume.directory / "..data")).rename(
        volume.directory / "elsewhere"
    )
    with pytest.raises(MountError, match=r"\.\.data cannot be read \(ENOENT\); it is read again"):
        files(volume.directory)


def test_a_file_in_place_of_a_directory(tmp_path: Path) -> None:
    """A path that is a file, as of a `subPath` mount, is an error that names the remedy."""
    (tmp_path / "KEY").write_text("1")
    path = str(tmp_path / "KEY")
    assert token(path) == token(path)
    with pytest.raises(MountError, match="name the directory of the volume, not a file"):
        files(tmp_path / "KEY")


def test_a_rare_error_has_a_remedy_too(volume: AtomicWriter) -> None:
    """A `..data` that points to itself is an error as well."""
    (volume.directory / "..data").symlink_to("..data")
    with pytest.raises(MountError, match=r"\(ELOOP\); look at the volume"):
        files(volume.directory)


# one generation


@pytest.mark.parametrize("order", ["current", "1.20"])
def test_no_mixed_generations(tmp_path: Path, order: Order) -> None:
    """Under a writer that swaps as fast as it can, each read is of one generation, and whole."""
    writer = AtomicWriter(tmp_path / "config", order=order)
    keys = [f"K{n}" for n in range(20)]
    writer.write(dict.fromkeys(keys, "0"))
    stop = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not stop.is_set():
            swaps += 1
            extra = [f"EXTRA{swaps % 3}"]  # names come and go too
            writer.write(dict.fromkeys(keys + extra, str(swaps)))

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen: set[bytes] = set()
        while len(seen) < 50:
            content = files(writer.directory)
            (value,) = set(content.values())
            assert set(keys) <= content.keys()
            assert len(content) - len(keys) == (value != b"0")
            seen.add(value)
    finally:
        stop.set()
        thread.join()
    assert swaps >= len(seen) - 1


def _read_until_it_fails(path: Path) -> None:
    while True:  # a read between two swaps may succeed
        read(Mount(str(path)), seconds=0)


def test_a_mount_that_keeps_changing(tmp_path: Path) -> None:
    """A read that cannot get hold of one generation gives up, and says that it is tried again."""
    for name in ("..one", "..two"):
        (tmp_path / name).mkdir()
        for key in range(1000):
            (tmp_path / name / f"K{key}").write_text(name)
    (tmp_path / "..data").symlink_to("..one")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("..one", "..two", "..one/"):
                (tmp_path / "..data_tmp").symlink_to(name)
                (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with pytest.raises(MountError, match=r"kept changing for 0 s while it was read"):
            _read_until_it_fails(tmp_path)
    finally:
        stop.set()
        thread.join()


def test_an_error_of_a_generation_that_is_gone(volume: AtomicWriter) -> None:
    """What fails only because the generation went meanwhile is read again, not reported."""
    volume.write({f"K{n}": "0" for n in range(50)})
    stop = threading.Event()
    swaps = 0

    def swap() -> None:  # each removes the directory that may just be read
        nonlocal swaps
        while not stop.is_set():
            swaps += 1
            volume.write({f"K{n}": str(swaps) for n in range(50)})

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        while swaps < 60:
            assert len(files(volume.directory)) == 50
    finally:
        stop.set()
        thread.join()


# tokens


def test_a_token_tells_generations_apart(volume: AtomicWriter) -> None:
    """The token is the same until something is published, and another one afterwards."""
    path = str(volume.directory)
    seen = [token(path)]
    for content in ("1", "2", "1"):
        volume.write({"A": content})
        assert token(path) == token(path)
        assert not token(path).is_plain
        assert token(path) not in seen
        seen.append(token(path))


def test_a_token_of_a_plain_directory(tmp_path: Path) -> None:
    """In a plain directory a token changes with each file, also of equal size."""
    path, file = str(tmp_path), tmp_path / "sub" / "A"
    seen = [token(path)]
    assert seen[0].is_plain

    def is_new() -> bool:
        new = token(path) not in seen and token(path) == token(path)
        seen.append(token(path))
        return new

    file.parent.mkdir()
    file.write_text("1")
    assert is_new()
    os.utime(file, ns=(1, 1))
    assert is_new()
    (tmp_path / "new").write_text("1")
    os.utime(tmp_path / "new", ns=(1, 1))
    os.replace(tmp_path / "new", file)
    assert is_new()
    file.unlink()
    assert token(path) == seen[0]


def test_a_replaced_directory_has_another_token(volume: AtomicWriter, tmp_path: Path) -> None:
    """A directory that is removed is absent, and one in its place another one."""
    volume.write({"A": "1"})
    path, before = str(volume.directory), token(str(volume.directory))
    volume.directory.rename(tmp_path / "moved")
    assert token(path) == Token()
    volume.directory.mkdir()
    target = before.target
    assert target is not None
    (volume.directory / target).mkdir()
    (volume.directory / "..data").symlink_to(target)
    assert token(path).target == target
    assert token(path) != before


def test_a_file_that_goes_while_we_look(tmp_path: Path) -> None:
    """A plain directory in which a file goes at that moment equals no other look, and is read."""
    (tmp_path / "STAYS").write_text("1")
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            for name in range(50):
                (tmp_path / f"GOES{name}").write_text("1")
            for name in range(50):
                (tmp_path / f"GOES{name}").unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        while not any(isinstance(entry, int) for entry in token(str(tmp_path)).files):
            pass
    finally:
        stop.set()
        thread.join()
    assert files(tmp_path)["STAYS"] == b"1"


def test_when_it_was_committed(directory: Path) -> None:
    """The time of a generation is that of the rename; in a plain directory, of the newest file."""
    snapshot = read(Mount(str(directory)))
    link = directory / "..data"
    times = [os.lstat(link).st_mtime] if link.is_symlink() else []
    if not times:
        os.utime(directory / "A", (2**31, 2**31))
        times, snapshot = [float(2**31)], read(Mount(str(directory)))
    assert [snapshot.committed_at] == times
    assert (snapshot.generation_dir is None) == (not link.is_symlink())


# include, exclude, settings files


def test_include_and_exclude(directory: Path) -> None:
    """Patterns are matched against keys, in their case; what is excluded is not even opened."""
    assert list(files(directory, include=["A", "sub/*"])) == ["A", "sub/deep/X"]
    assert list(files(directory, exclude=["?", ".*"])) == ["C.D-e_f", "sub/deep/X"]
    assert files(directory, include=["a"]) == {}
    assert files(directory, include=[]) == {}


@pytest.mark.parametrize(
    "name", ["app.toml", "app.yaml", "app.yml", "app.json", "app.ini", "app.py", "app.properties"]
)
def test_settings_files_are_no_keys(volume: AtomicWriter, name: str) -> None:
    """A file that dynaconf may load is no key; `exclude` hides its changes, `include` does not."""
    volume.write({name: "x", "A": "1"})
    for include in ("*", "A"):
        snapshot = read(Mount(str(volume.directory), include=(include,)))
        assert dict(snapshot.files) == {"A": b"1"}
        assert dict(snapshot.settings_files) == {name: b"x"}
    assert dict(read(Mount(str(volume.directory), exclude=("app.*",))).settings_files) == {}


# the value


def test_the_path_is_normalised() -> None:
    """Slashes and dots in a path make no difference; a path object is as good as a string."""
    assert Mount("/config/../config//x/").path == "/config/x"
    assert Mount.of(Path("/config")).path == Mount(Path("/config")).path == "/config"


def test_a_mount_is_made_of_what_is_given() -> None:
    """A path, a table and a mount are all a mount; a list becomes a tuple."""
    table = {"PATH": "/config", "prefix": "P_", "INCLUDE": ["A"], "secret": True}
    mount = Mount("/config", prefix="P_", include=["A"], secret=True)
    assert Mount.of(table) == mount
    assert replace(mount, exclude=("token",)) == Mount(
        "/config", prefix="P_", include=["A"], secret=True, exclude=["token"]
    )
    assert Mount.of(mount) is mount
    assert Mount.of("/config") == Mount("/config")
    assert hash(Mount.of(table)) == hash(mount)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("config", r"'config' is not absolute; write the volume's mountPath, such as '/config'"),
        ("", r"'' is not absolute"),
        (3, r"a path, a table or a Mount, not int; write '/config'"),
        ({}, r"a mount has no path; write \{path = '/config'\}"),
        ({"path": 3}, r"path is a string, not int; write '/config'"),
        ({"path": "/c", "mirorr": True}, r"no field 'mirorr'; write mirror$"),
        ({"path": "/c", "xyz": True}, r"no field 'xyz'; write one of path, prefix, mirror,"),
        ({"path": "/c", "prefix": 1}, r"prefix of mount /c is not a string; write 'APP_'"),
        ({"path": "/c", "mirror": "yes"}, r"mirror of mount /c is not a boolean; write true or"),
        ({"path": "/c", "secret": None}, r"secret of mount /c is not a boolean; write true or"),
        ({"path": "/c", "include": "A"}, r"not a list of strings; write include=\['APP_\*'\]"),
        ({"path": "/c", "exclude": [1]}, r"not a list of strings; write exclude=\['APP_\*'\]"),
    ],
)
def test_a_wrong_mount_says_what_to_write(value: object, message: str) -> None:
    """Each mistake in a mount is an error that says what to write instead."""
    with pytest.raises(ConfigError, match=message):
        Mount.of(value)


def test_a_path_that_cannot_be_followed(tmp_path: Path) -> None:
    """A directory that cannot be looked at is told by its error, and is not taken for absent."""
    (tmp_path / "loop").symlink_to("loop")
    assert token(str(tmp_path / "loop")) == Token(error="ELOOP")
