"""Reading all mounts of an application: first with patience, then keeping what was good."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import Mount, MountError, _dynaconf, get_reloader
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._source import fingerprint as tokens
from dynaconf_k8s_reload._source.files import Files
from dynaconf_k8s_reload._source.reader import Reader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings


def options(*volumes: AtomicWriter | Mount) -> Options:
    return Options(tuple(v if isinstance(v, Mount) else Mount(str(v.directory)) for v in volumes))


def test_what_was_read_is_remembered_by_its_tokens(volume: AtomicWriter, tmp_path: Path) -> None:
    """A reading notes the tokens in the order of the mounts; a first one notes none."""
    other = AtomicWriter(tmp_path / "other")
    volume.write({"A": "1"})
    other.write({"B": "1"})
    both = options(other, volume)
    reader = Reader()
    first = reader.read_first(both)
    assert [list(snapshot.files) for snapshot in first] == [["B"], ["A"]]
    assert reader.seen == ()
    reader.read(both, first)
    assert reader.seen == tuple(tokens.token(mount.path) for mount in both.k8s_mounts)


def test_a_first_reading_is_patient_for_a_moment(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be read for a moment delays the start and does not fail it."""
    volume.write({"A": "1"})
    real, failures = Files.read, [1, 2, 3]

    def flaky(*args: Any) -> bytes:
        if failures:
            failures.pop()
            raise PermissionError(13, "not yet")
        return real(*args)

    monkeypatch.setattr(Files, "read", flaky)
    monkeypatch.setattr("dynaconf_k8s_reload._source.reader.RETRY_EVERY", 0.001)
    (snapshot,) = Reader().read_first(options(volume))
    assert snapshot.files == {"A": b"1"}
    assert not failures


def test_a_first_reading_gives_up(volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that stays unreadable is an error that names it."""
    volume.write({"A": "1" * (1024 * 1024 + 1)})
    monkeypatch.setattr("dynaconf_k8s_reload._source.reader.FIRST_SECONDS", 0.02)
    reader = Reader()
    with pytest.raises(MountError, match="A is larger than 1 MiB"):
        reader.read_first(options(volume))
    assert "larger than 1 MiB" in reader.problems[str(volume.directory)]


def test_an_absent_mount_is_waited_for_unless_it_is_required(tmp_path: Path) -> None:
    """An absent directory gives nothing; a required one is an error with the remedy."""
    path = str(tmp_path / "none")
    (snapshot,) = Reader().read_first(options(Mount(path)))
    assert (snapshot.present, dict(snapshot.files)) == (False, {})
    with pytest.raises(MountError, match="drop required=True"):
        Reader().read_first(options(Mount(path, required=True)))


def test_a_mount_that_goes_keeps_its_last_content(volume: AtomicWriter, settings: Any) -> None:
    """A directory that is removed changes no setting, and the status says so until it is back."""
    volume.write({"A": "1", "app.toml": ""})
    reloader = get_reloader(settings)
    shutil.rmtree(volume.directory)
    for _ in range(2):
        assert reloader.reload().outcome == "unchanged"
        (status,) = reloader.status().mounts
        assert (status.present, status.keys) == (False, 1)
        assert "its last good content is kept" in str(status.problem)
        assert settings.A == 1
    volume.write({"A": "2"})
    assert reloader.reload().outcome == "applied"
    (status,) = reloader.status().mounts
    assert (status.present, status.problem) == (True, None)


def test_an_absent_mount_says_so_itself(volume: AtomicWriter, settings: Any) -> None:
    """What `problems` says of a mount that held nothing stands in the mount's `problem`, too."""
    volume.write({})
    reloader = get_reloader(settings)
    assert reloader.status().mounts[0].problem is None
    shutil.rmtree(volume.directory)
    reloader.reload()
    status = reloader.status()
    assert status.problems == (status.mounts[0].problem,)
    assert "is absent" in status.problems[0]


def test_a_volume_without_its_link_is_half_there(volume: AtomicWriter, settings: Any) -> None:
    """``..data`` gone, the dangling links are no content: the last generation goes on serving."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    (volume.directory / "..data").unlink()
    result = reloader.reload()
    assert result.outcome == "rejected"
    assert "..data is gone" in str(result.error)
    assert settings.A == 1
    volume.write({"A": "2"})
    reloader.following.changed()
    assert settings.A == 2


def test_a_settings_file_and_keys_are_of_one_generation(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap between reading the keys and loading the files has both loaded again."""

    def write(count: int) -> None:
        volume.write({"app.toml": f"FILE = {count}\n", "A": f"{count}"})

    def swapping(settings: Any, swaps: list[int]) -> Any:
        def hook(_: Any) -> dict[str, Any]:
            if swaps:
                write(swaps.pop(0))
            return {}

        return hook

    write(1)
    at_start = [2, 3]
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=[str(volume.directory / "app.toml")],
        post_hooks=[swapping(None, at_start)],
    )
    assert (settings.FILE, settings.A, at_start) == (3, 3, [])
    reloader = get_reloader(settings)
    assert reloader.status().generation == 1
    assert not reloader.reload().changes
    real, swaps = _dynaconf.load_candidate, [5, 6]

    def build(*args: Any) -> Any:
        if swaps:
            write(swaps.pop(0))
        return real(*args)

    monkeypatch.setattr(_dynaconf, "load_candidate", build)
    write(4)
    result = reloader.reload()
    assert (result.outcome, result.generation, swaps) == ("applied", 2, [])
    assert (settings.FILE, settings.A) == (6, 6)
    assert reloader.reload().outcome == "unchanged"


def test_a_failure_of_what_has_moved_on_is_no_failure(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that fails to parse while it is being replaced is loaded again, not refused."""

    volume.write({"app.toml": "FILE = 1\n"})
    settings = make_settings(
        volume.directory, k8s_watch=False, settings_files=[str(volume.directory / "app.toml")]
    )
    reloader = get_reloader(settings)
    real, broken = _dynaconf.load_candidate, [1]

    def build(*args: Any) -> Any:
        if broken:
            broken.pop()
            try:
                return real(*args)
            finally:
                volume.write({"app.toml": "FILE = 3\n"})
        return real(*args)

    monkeypatch.setattr(_dynaconf, "load_candidate", build)
    volume.write({"app.toml": "FILE = ["})
    assert reloader.reload().outcome == "applied"
    assert settings.FILE == 3


def test_a_mount_that_never_rests_is_refused_after_a_while(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that change at every build are given up on, and tried again at the next comparison."""
    from dynaconf_k8s_reload._reload import passing

    volume.write({"app.toml": "FILE = 1\n"})
    settings = make_settings(
        volume.directory, k8s_watch=False, settings_files=[str(volume.directory / "app.toml")]
    )
    reloader = get_reloader(settings)
    real, count = _dynaconf.load_candidate, 2

    def build(*args: Any) -> Any:
        nonlocal count
        count += 1
        volume.write({"app.toml": f"FILE = {count}\n"})
        return real(*args)

    monkeypatch.setattr(passing, "CONFIRM_SECONDS", 0.0)
    volume.write({"app.toml": "FILE = 2\n"})
    with monkeypatch.context() as patch:
        patch.setattr(_dynaconf, "load_candidate", build)
        result = reloader.reload()
    assert "kept changing while settings files in it were loaded" in str(result.error)
    assert settings.FILE == 1
    reloader.following.changed()
    assert count == settings.FILE


def test_a_settings_file_whose_link_comes_after_the_swap(volume: AtomicWriter) -> None:
    """A kubelet makes the links of new keys after it has published; the file is loaded anyway."""
    volume.write({"A": "1"})
    file = volume.directory / "app.toml"
    settings = make_settings(volume.directory, k8s_watch=False, settings_files=[str(file)])
    assert settings.A == 1
    volume.write({"A": "2", "app.toml": "FILE = 2\n"})
    file.unlink()
    late = threading.Timer(0.05, lambda: file.symlink_to("..data/app.toml"))
    late.start()
    assert get_reloader(settings).reload().outcome == "applied"
    late.join()
    assert (settings.A, settings.FILE) == (2, 2)


def test_a_settings_file_without_a_link_holds_nothing_up(volume: AtomicWriter) -> None:
    """Where a link never comes, the keys are taken after a moment, and the file is not there."""
    volume.write({"A": "1"})
    file = volume.directory / "app.toml"
    settings = make_settings(volume.directory, k8s_watch=False, settings_files=[str(file)])
    assert settings.A == 1
    volume.write({"A": "2", "app.toml": "FILE = 2\n"})
    file.unlink()
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.A, settings.get("FILE")) == (2, None)


@pytest.mark.parametrize("rests", [True, False])
def test_a_first_load_while_a_settings_file_is_replaced(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch, rests: bool
) -> None:
    """A file that does not parse by then is read again; one that never rests is an error."""
    from dynaconf_k8s_reload._reload import construction

    if not rests:
        monkeypatch.setattr(construction, "CONFIRM_SECONDS", 0.0)
    count = 1
    volume.write({"app.toml": "FILE = 1\n"})
    real = _dynaconf.load_candidate

    def load(*args: Any) -> Any:
        nonlocal count
        count += 1
        if count == 2 and rests:
            volume.write({"app.toml": "FILE = [\n"})
            try:
                return real(*args)
            finally:
                volume.write({"app.toml": "FILE = 5\n"})
        if not rests:
            volume.write({"app.toml": f"FILE = {count}\n"})
        return real(*args)

    monkeypatch.setattr(_dynaconf, "load_candidate", load)
    file = str(volume.directory / "app.toml")
    settings = make_settings(volume.directory, k8s_watch=False, settings_files=[file])
    if rests:
        assert settings.FILE == 5
    else:
        with pytest.raises(MountError, match="start again once its writer rests"):
            bool(settings)
