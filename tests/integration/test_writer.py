"""``AtomicWriter`` touches nothing outside of its volume, and being killed does it no harm."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from dynaconf_k8s_reload._model.mount import Mount
from dynaconf_k8s_reload._source import reading
from dynaconf_k8s_reload.testing import AtomicWriter

ORDERS: list[Literal["current", "1.20"]] = ["current", "1.20"]
KILLED = 86
PRECIOUS = "the only copy"
OLD = {"A": "old", "GONE": "old", "sub/x": "old"}
NEW = {"A": "new", "ADDED": "new", "sub/y": "new"}


def everything(root: Path) -> dict[str, str]:
    """Each file and link below *root*, and what it says; no link is followed."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = (
                f"-> {os.readlink(path)}"
                if path.is_symlink()
                else path.read_text()
                if path.is_file()
                else "directory"
            )
    return found


def link(target: str) -> Callable[[Path], None]:
    return lambda volume: (volume / "..data").symlink_to(target)


def through_a_link(volume: Path) -> None:
    (volume / "..2026").symlink_to("../precious")
    link("..2026")(volume)


def a_directory(volume: Path) -> None:
    (volume / "..data").mkdir()
    (volume / "..data" / "file").write_text(PRECIOUS)


def a_directory_beside(volume: Path) -> None:
    (volume / "conf").mkdir()
    (volume / "conf" / "file").write_text(PRECIOUS)
    link("conf")(volume)


def a_file(volume: Path) -> None:
    (volume / "..2026").write_text(PRECIOUS)
    link("..2026")(volume)


def the_link_being_made(volume: Path) -> None:
    (volume / "..data_tmp").mkdir()
    (volume / "..data_tmp" / "file").write_text(PRECIOUS)
    link("..data_tmp")(volume)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "a sibling": link("../precious"),
    "an absolute path": lambda volume: link(str(volume.parent / "precious"))(volume),
    "the parent": link(".."),
    "the volume": link("."),
    "itself": link("..data"),
    "below": link("..2026/../../precious"),
    "a name that seems to be right": link("../..precious"),
    "through a link": through_a_link,
    "a directory": a_directory,
    "a directory beside": a_directory_beside,
    "a file": a_file,
    "the link being made": the_link_being_made,
}


@pytest.fixture
def volume_beside_something(tmp_path: Path) -> Path:
    """A volume that is still empty, and beside it what nobody may touch."""
    for name in ("precious", "..precious"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(PRECIOUS)
    volume = tmp_path / "config"
    volume.mkdir()
    return volume


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_link_made_by_hand_is_refused(
    hostile: str, order: Literal["current", "1.20"], volume_beside_something: Path
) -> None:
    """Wherever ``..data`` leads, what a kubelet would not have made is named and left alone."""
    HOSTILE[hostile](volume_beside_something)
    before = everything(volume_beside_something.parent)
    writer = AtomicWriter(volume_beside_something, order)
    for write in (lambda: writer.write(NEW), lambda: writer.payload, lambda: writer.set("A", "1")):
        with pytest.raises(ValueError, match=r"/config/\.\.data"):
            write()
    assert everything(volume_beside_something.parent) == before


@pytest.mark.parametrize("name", ["A", "..data_tmp"])
def test_what_is_in_the_way_stays(name: str, volume_beside_something: Path) -> None:
    """A file, a directory or a foreign link with the name of a link is neither kept nor removed."""
    writer = AtomicWriter(volume_beside_something)
    writer.write({"B": "1"})
    (volume_beside_something / name).mkdir()
    before = everything(volume_beside_something)
    with pytest.raises(ValueError, match=f"{name} is (in the way|not a link)"):
        writer.write(NEW)
    assert everything(volume_beside_something) == before


def test_what_only_has_the_name_of_a_generation_stays(volume_beside_something: Path) -> None:
    """A killed writer leaves directories behind; a file and a link of such a name are no such."""
    writer = AtomicWriter(volume_beside_something)
    writer.write({"B": "1"})
    file = volume_beside_something / "..2026_01_02_03_04_05.123"
    file.write_text(PRECIOUS)
    link = volume_beside_something / "..2026_01_02_03_04_05.124"
    link.symlink_to("../precious")
    assert writer.write(NEW)
    assert (file.read_text(), (link / "file").read_text()) == (PRECIOUS, PRECIOUS)


def test_a_foreign_link_of_a_key_is_in_the_way(volume_beside_something: Path) -> None:
    """A key's name that leads elsewhere is no link of the kubelet's, and nobody follows it."""
    (volume_beside_something / "A").symlink_to("../precious/file")
    with pytest.raises(ValueError, match="A is in the way"):
        AtomicWriter(volume_beside_something).write(NEW)
    assert (volume_beside_something.parent / "precious" / "file").read_text() == PRECIOUS


def test_links_within_a_generation_are_not_followed(volume_beside_something: Path) -> None:
    """A link in the old generation is no content, and removing that leaves its target alone."""
    writer = AtomicWriter(volume_beside_something)
    writer.write(OLD)
    data = volume_beside_something / "..data"
    (data / "file").symlink_to("../../precious/file")
    (data / "folder").symlink_to("../../precious")
    assert writer.payload == {key: text.encode() for key, text in OLD.items()}
    assert writer.write(OLD)
    assert not os.path.lexists(data / "file")
    assert everything(volume_beside_something.parent / "precious") == {"file": PRECIOUS}


def clean(volume: Path, payload: Mapping[str, str]) -> None:
    """Assert that a volume is what one write of a kubelet leaves: nothing more, nothing less."""
    generation = os.readlink(volume / "..data")
    names = {key.partition("/")[0] for key in payload}
    assert set(os.listdir(volume)) == {"..data", generation, *names}
    assert {name: os.readlink(volume / name) for name in names} == {
        name: f"..data/{name}" for name in names
    }
    assert AtomicWriter(volume).payload == {key: text.encode() for key, text in payload.items()}


def steps(write: Callable[[], Any]) -> Iterator[int]:
    """Write in a child that is killed before its first system call, in one before its second, …."""
    step = 0
    while True:
        step += 1
        child = os.fork()
        if child == 0:
            left = step

            def die(event: str, _: Any) -> None:
                nonlocal left
                if event == "open" or event.partition(".")[0] in ("os", "shutil"):
                    left -= 1
                    if left == 0:
                        os._exit(KILLED)

            sys.addaudithook(die)
            write()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        yield step
        if os.waitstatus_to_exitcode(status) != KILLED:
            return


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("next_one", ["the same", "the old", "another"])
def test_killed_at_each_step(
    order: Literal["current", "1.20"], next_one: str, tmp_path: Path
) -> None:
    """A writer that is killed leaves the old payload or the new one, and the next cleans up."""
    following = {"the same": NEW, "the old": OLD, "another": {"B": "1"}}[next_one]
    seen: list[dict[str, str]] = []
    writer = AtomicWriter(tmp_path / "config", order)
    writer.write(OLD)
    for _ in steps(lambda: writer.write(NEW)):
        snapshot = reading.read(Mount(str(writer.directory)))
        seen.append({key: content.decode() for key, content in snapshot.files.items()})
        writer.write(following)
        clean(writer.directory, following)
        writer.write(OLD)
        clean(writer.directory, OLD)
    published = seen.index(NEW)
    assert seen == [OLD] * published + [NEW] * (len(seen) - published)
    assert 10 < published < len(seen) - 4


@pytest.mark.parametrize("order", ORDERS)
def test_killed_at_the_first_write(order: Literal["current", "1.20"], tmp_path: Path) -> None:
    """A first write that is killed leaves nothing or all of it, and the next one cleans up."""
    where = tmp_path / "config"
    for step in steps(lambda: AtomicWriter(where, order).write(NEW)):
        writer = AtomicWriter(where, order)
        assert writer.payload in ({}, {key: text.encode() for key, text in NEW.items()})
        writer.write(OLD)
        clean(where, OLD)
        where.rename(tmp_path / f"done-{step}")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_refused_at_each_step(
    order: Literal["current", "1.20"],
    error: BaseException,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk or Ctrl-C at any step leaves one payload or the other, and nothing behind."""
    for name in ("mkdir", "chmod", "symlink", "replace"):
        for fails_at in range(1, 6):
            where = tmp_path / f"{name}{fails_at}"
            writer = AtomicWriter(where, order)
            writer.write(OLD)
            real, left = getattr(os, name), fails_at

            def limited(*args: Any, real: Any = real) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    raise error
                return real(*args)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, limited)
                try:
                    writer.write(NEW)
                except type(error):
                    pass
            present = {key: content.decode() for key, content in writer.payload.items()}
            assert present in (OLD, NEW)
            assert len([each for each in os.listdir(where) if each.startswith("..")]) == 2
            writer.write(NEW)
            clean(where, NEW)
