"""``AtomicWriter`` against recordings of the real one and beyond them, then the wait."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from dynaconf import Dynaconf, Validator

from dynaconf_k8s_reload import ConfigError, ReloadRejected, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter, wait_for_generation
from inotify import Inotify
from support import eventually, make_settings

TRACES = Path(__file__).with_name("traces")
ORDERS: list[Literal["current", "1.20"]] = ["current", "1.20"]

Event = tuple[str, str]


class Case(NamedTuple):
    """A section of a recording: one write, and the changes that it caused."""

    name: str
    payload: dict[str, str]
    events: list[Event]


def recorded(release: str) -> list[Case]:
    """The cases of a recording; each one starts from the state that the one before left."""
    cases: list[Case] = []
    for line in (TRACES / f"atomicwriter-{release}.txt").read_text().splitlines():
        if header := re.fullmatch(r"== (\S+) +\(rc=0\) payload: *(.*)", line):
            pairs = (pair.partition("=") for pair in header[2].split())
            cases.append(Case(header[1], {key: value for key, _, value in pairs}, []))
        elif re.search(r"(CREATE|ATTRIB|MOVED_FROM|MOVED_TO|DELETE)(,ISDIR)?$", line):
            name, _, masks = line.rpartition(" ")
            cases[-1].events.append((name, masks))
    return cases


def normalised(cases: Iterable[Case]) -> dict[str, list[Event]]:
    """The events by case, with the time-stamped directories numbered as they first appear."""
    seen: dict[str, str] = {}

    def number(name: str) -> str:
        if re.fullmatch(r"\.\.\d{4}(_\d\d){5}\.\d+", name):
            return seen.setdefault(name, f"ts{len(seen) + 1}")
        return name

    return {case.name: [(number(name), masks) for name, masks in case.events] for case in cases}


def tree(directory: Path) -> dict[str, str]:
    """What each entry of *directory* is: the target of a link, else a word."""
    return {
        entry.name: os.readlink(entry)
        if entry.is_symlink()
        else "directory"
        if entry.is_dir()
        else "file"
        for entry in directory.iterdir()
    }


@pytest.fixture
def writer(tmp_path: Path) -> AtomicWriter:
    return AtomicWriter(tmp_path / "config")


@pytest.fixture
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local time that is not UTC."""
    with monkeypatch.context() as context:
        context.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is a part of Linux")


@linux
@pytest.mark.parametrize(("order", "release"), [("current", "1.32"), ("1.20", "1.20")])
def test_replay(order: Literal["current", "1.20"], release: str, tmp_path: Path) -> None:
    """Each recorded write changes the directory in the same steps as the kubelet's writer did."""
    cases = recorded(release)
    replayed = []
    writer = AtomicWriter(tmp_path, order)
    with Inotify(tmp_path) as inotify:
        for case in cases:
            written = writer.write(case.payload)
            replayed.append(Case(case.name, case.payload, inotify.read()))
            assert written is bool(case.events)

    assert len(cases) == 11
    assert normalised(replayed) == normalised(cases)


@linux
def test_inotify_refusal(tmp_path: Path) -> None:
    """The reader of events says so when it cannot watch a directory."""
    with pytest.raises(FileNotFoundError):
        Inotify(tmp_path / "absent")


@pytest.mark.parametrize("order", ORDERS)
def test_layout(order: Literal["current", "1.20"], tmp_path: Path) -> None:
    """A volume is a time-stamped directory, ``..data`` pointing to it, and a link for each name."""
    AtomicWriter(tmp_path, order).write({"a": "1", ".env": "2", "sub/dir/x": "3", "sub/y": "4"})

    generation = os.readlink(tmp_path / "..data")
    assert tree(tmp_path) == {
        generation: "directory",
        "..data": generation,
        "a": "..data/a",
        ".env": "..data/.env",
        "sub": "..data/sub",
    }
    assert (tmp_path / "sub" / "dir" / "x").read_text() == "3"
    assert tree(tmp_path / generation) == {"a": "file", ".env": "file", "sub": "directory"}


def test_directory_attribute(tmp_path: Path) -> None:
    """A writer makes a missing directory with its parents, and names it as a path."""
    writer = AtomicWriter(str(tmp_path / "some" / "where"))

    assert writer.directory == tmp_path / "some" / "where"
    assert tree(writer.directory) == {}


def test_unknown_order(tmp_path: Path) -> None:
    """An order that no release has is refused before anything is made."""
    with pytest.raises(ValueError, match=r"order must be 'current' or '1\.20', not '1\.19'"):
        AtomicWriter(tmp_path / "config", order="1.19")  # type: ignore[arg-type]

    assert tree(tmp_path) == {}


@pytest.mark.usefixtures("narrow_umask")
def test_permissions(writer: AtomicWriter) -> None:
    """Files get the mode that was asked for and their directory 0755, whatever the umask."""
    writer.write({"a": "1"}, mode=0o640)

    generation = writer.directory / "..data"
    assert generation.stat().st_mode & 0o7777 == 0o755
    assert (generation / "a").stat().st_mode & 0o7777 == 0o640


@pytest.mark.usefixtures("tokyo")
def test_timestamp(writer: AtomicWriter) -> None:
    """The directory of a payload is named by the time in UTC and a random number."""
    # The clock of whole seconds may be a tick behind the fine one.
    before = datetime.now(timezone.utc) - timedelta(seconds=1.1)
    writer.write({"a": "1"})
    after = datetime.now(timezone.utc)

    stamp, number = os.readlink(writer.directory / "..data").rsplit(".", 1)
    written = datetime.strptime(stamp, "..%Y_%m_%d_%H_%M_%S").replace(tzinfo=timezone.utc)
    assert before <= written <= after
    assert number.isdecimal()


def test_identical_content(writer: AtomicWriter) -> None:
    """Writing what is there already touches nothing, even with another mode or as bytes."""
    assert writer.write({"a": "1", "sub/x": "2"})
    generation = os.readlink(writer.directory / "..data")

    assert not writer.write({"sub/x": b"2", "a": b"1"}, mode=0o600)
    assert os.readlink(writer.directory / "..data") == generation
    assert (writer.directory / "a").stat().st_mode & 0o777 == 0o644


def test_bytes_and_text(writer: AtomicWriter) -> None:
    """Bytes are written as they are, text as UTF-8, and both are read back as bytes."""
    writer.write({"binary": b"\x00\xff\r\n", "text": "größer\n", "empty": ""})

    assert writer.payload == {"binary": b"\x00\xff\r\n", "text": "größer\n".encode(), "empty": b""}


def test_what_no_configmap_holds(writer: AtomicWriter) -> None:
    """A number must be in quotes, as in a manifest; nothing is written."""
    content: Any = {"A": 3}
    with pytest.raises(TypeError, match="A is of type int; a ConfigMap holds text: write it in q"):
        writer.write(content)
    assert writer.payload == {}


def test_read_back(writer: AtomicWriter) -> None:
    """The payload is what the disk holds: another writer's too, and nothing before the first."""
    assert writer.payload == {}

    AtomicWriter(writer.directory).write({"a": "1", "sub/dir/x": "2"})

    assert writer.payload == {"a": b"1", "sub/dir/x": b"2"}


def test_emptying(writer: AtomicWriter) -> None:
    """An empty payload leaves ``..data`` and an empty directory."""
    writer.write({"a": "1", "sub/x": "2"})

    assert writer.write({})

    generation = os.readlink(writer.directory / "..data")
    assert tree(writer.directory) == {"..data": generation, generation: "directory"}
    assert tree(writer.directory / generation) == {}
    assert not writer.write({})


def test_first_write_empty(writer: AtomicWriter) -> None:
    """An empty first payload makes ``..data``, as for an optional ConfigMap that is absent."""
    assert writer.write({})

    assert (writer.directory / "..data").is_dir()
    assert writer.payload == {}


def test_set(writer: AtomicWriter) -> None:
    """Setting a key keeps the others and says whether anything was written."""
    writer.write({"a": "1", "sub/x": "2"})

    assert writer.set("a", "3")
    assert not writer.set("a", b"3")
    assert writer.set("sub/y", "4")
    assert writer.payload == {"a": b"3", "sub/x": b"2", "sub/y": b"4"}


def test_delete(writer: AtomicWriter) -> None:
    """Deleting a key removes its file and its link, and keeps the others."""
    writer.write({"a": "1", "b": "2"})

    writer.delete("a")

    assert writer.payload == {"b": b"2"}
    assert not os.path.lexists(writer.directory / "a")


def test_delete_of_a_missing_key(writer: AtomicWriter) -> None:
    """Deleting a key that is not there is a ``KeyError``."""
    with pytest.raises(KeyError, match="absent"):
        writer.delete("absent")


def test_leftover_tmp_link(writer: AtomicWriter) -> None:
    """A ``..data_tmp`` that a killed writer left behind is replaced."""
    writer.write({"a": "1"})
    (writer.directory / "..data_tmp").symlink_to("..2026_11_23_05_26_04.1759292720")

    assert writer.write({"a": "2"})

    assert writer.payload == {"a": b"2"}
    assert not os.path.lexists(writer.directory / "..data_tmp")


def test_missing_link(writer: AtomicWriter) -> None:
    """A deleted link is made again by the next write, and not missed if its key goes."""
    writer.write({"a": "1", "b": "2"})
    (writer.directory / "a").unlink()
    (writer.directory / "b").unlink()

    assert writer.write({"a": "3"})

    assert (writer.directory / "a").read_text() == "3"


def test_deleted_directory(writer: AtomicWriter) -> None:
    """A write makes the whole volume again after its directory was moved away."""
    writer.write({"a": "1"})
    writer.directory.rename(writer.directory.with_name("moved"))

    assert writer.write({"a": "1"})
    assert (writer.directory / "a").read_text() == "1"


def test_emptied_by_force(writer: AtomicWriter) -> None:
    """A ``..data`` that points nowhere reads as empty and is mended by the next write."""
    writer.write({"a": "1"})
    generation = os.readlink(writer.directory / "..data")
    (writer.directory / generation).rename(writer.directory.with_name("moved"))

    assert writer.payload == {}
    assert writer.write({"a": "1"})
    assert (writer.directory / "a").read_text() == "1"


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "..",
        "..data",
        "...",
        "a b",
        "ключ",
        "a\n",
        "/a",
        "a/",
        "a//b",
        "a/./b",
        "a/../b",
        "sub/..x",
        "x" * 254,
    ],
)
def test_illegal_key(key: str, writer: AtomicWriter) -> None:
    """A key that Kubernetes refuses is an error that names it and the rule, and changes nothing."""
    writer.write({"a": "1"})

    with pytest.raises(
        ValueError, match=re.escape(repr(key)) + r".*\[-\._a-zA-Z0-9\].*starting with '\.\.'"
    ):
        writer.write({"a": "2", key: "3"})

    assert writer.payload == {"a": b"1"}


@pytest.mark.parametrize(
    "key", [".env", ".a..b", "a..", "-", "_", "tls.crt", "sub/.hidden", "x" * 253]
)
def test_legal_key(key: str, writer: AtomicWriter) -> None:
    """Every name that Kubernetes allows is written, the odd ones too."""
    writer.write({key: "1"})

    assert writer.payload == {key: b"1"}


def test_key_that_is_also_a_directory(writer: AtomicWriter) -> None:
    """A key cannot be the directory of another one."""
    with pytest.raises(ValueError, match=r"'sub/a' cannot be a key: it is also the directory"):
        writer.write({"sub/a/x": "1", "sub/a": "2"})

    assert tree(writer.directory) == {}


def test_wait_for_what_was_written(volume: AtomicWriter) -> None:
    """After the wait settings and environment are those of the last write, however many it was."""
    settings = make_settings(volume.directory)
    for number in range(20):
        volume.write({"KEY": str(number)})
        volume.set("OTHER", str(number))
        status = wait_for_generation(settings)
        assert settings.KEY == settings.OTHER == number
        assert os.environ["KEY"] == os.environ["OTHER"] == str(number)
    assert 20 <= status.generation <= 41
    assert wait_for_generation(settings).generation == status.generation


def test_wait_for_what_is_the_same(volume: AtomicWriter) -> None:
    """Content that comes again in another directory is no new generation, and ends the wait."""
    volume.write({"KEY": "one"})
    settings = make_settings(volume.directory)
    assert wait_for_generation(settings).generation == 1
    volume.write({"KEY": "two"})
    volume.write({"KEY": "one"})
    assert wait_for_generation(settings).generation in (1, 3)
    assert settings.KEY == "one"


def test_wait_for_a_plain_directory(tmp_path: Path) -> None:
    """A directory that is written file by file is waited for as well."""
    (tmp_path / "KEY").write_text("one")
    settings = make_settings(tmp_path)
    assert settings.KEY == "one"
    (tmp_path / "KEY").write_text("two")
    assert wait_for_generation(settings).generation == 2
    assert settings.KEY == "two"


def test_wait_for_a_refused_update(volume: AtomicWriter) -> None:
    """A refusal ends the wait with its reason and without a value, until the content is mended."""
    volume.write({"KEY": "1"})
    settings = make_settings(volume.directory, validators=[Validator("KEY", gte=1)])
    assert settings.KEY == 1
    volume.write({"KEY": "-4711"})
    with pytest.raises(ReloadRejected, match="a validator refuses KEY") as refused:
        wait_for_generation(settings)
    assert "4711" not in str(refused.value)
    assert settings.KEY == 1
    volume.write({"KEY": "2"})
    assert wait_for_generation(settings).generation == 2


def test_wait_for_what_cannot_be_read(volume: AtomicWriter) -> None:
    """What cannot be read may be mended yet: the wait goes on, and names the error at its end."""
    volume.write({"KEY": "one"})
    settings = make_settings(volume.directory)
    assert settings.KEY == "one"
    volume.write({"KEY": "two", "BIG": "x" * (1024 * 1024 + 1)})
    eventually(lambda: get_reloader(settings).status().last_error)
    with pytest.raises(TimeoutError, match=r"(?s)generation 1 is.*last error is: .*BIG"):
        wait_for_generation(settings, timeout=0.2)


def test_wait_without_a_watch(settings: Any, volume: AtomicWriter) -> None:
    """Where nothing watches, the wait ends in time and says so."""
    assert wait_for_generation(settings).generation == 1
    volume.write({"KEY": "one"})
    with pytest.raises(TimeoutError, match=r"after 0.2 s; generation 1 is, the watch is 'off'"):
        wait_for_generation(settings, timeout=0.2)
    get_reloader(settings).reload()
    assert wait_for_generation(settings).generation == 2


def test_wait_for_a_reload_that_hangs(volume: AtomicWriter) -> None:
    """A check that does not return holds the wait up to its deadline only."""
    settings = make_settings(volume.directory)
    inside, leave = threading.Event(), threading.Event()

    @get_reloader(settings).on_validate
    def hang(candidate: Any, changes: Any) -> None:
        inside.set()
        leave.wait(60)

    volume.write({"KEY": "one"})
    assert inside.wait(10)
    with pytest.raises(TimeoutError, match="generation 1 is"):
        wait_for_generation(settings, timeout=0.2)
    leave.set()
    assert wait_for_generation(settings).generation == 2


def test_wait_for_other_settings() -> None:
    """Settings that do not use the loader are a clear error."""
    with pytest.raises(ConfigError, match="not loaded by"):
        wait_for_generation(Dynaconf())
