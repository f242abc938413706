"""`k8s_watch_files`: settings files outside the mounts are followed like plain directories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def put(path: Path, text: str) -> None:
    """Write a file at once, as an editor does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def following(volume: AtomicWriter, place: Path, **options: Any) -> Any:
    volume.write({"MYAPP_A": "1"})
    return make_settings(
        volume.directory,
        root_path=str(place),
        settings_files=["settings.toml"],
        includes=["more/*.toml"],
        k8s_resync=0.05,
        k8s_debounce=0.0,
        **options,
    )


def test_files_that_change_come_and_go(volume: AtomicWriter, tmp_path: Path) -> None:
    """A settings file, its local variant, and one that an include's pattern matches."""
    put(tmp_path / "settings.toml", "NAME = 1\n")
    (tmp_path / "more").mkdir()
    settings = following(volume, tmp_path, k8s_watch_files=True)
    assert settings.NAME == 1
    put(tmp_path / "settings.toml", "NAME = 22\n")
    eventually(lambda: settings.NAME == 22)
    put(tmp_path / "settings.local.toml", "NAME = 3\n")
    eventually(lambda: settings.NAME == 3)
    (tmp_path / "settings.local.toml").unlink()
    eventually(lambda: settings.NAME == 22)
    put(tmp_path / "more" / "new.toml", "MORE = 1\n")
    eventually(lambda: settings.get("MORE") == 1)
    volume.write({"MYAPP_A": "2"})
    eventually(lambda: settings.A == 2)


def test_a_file_that_is_refused(volume: AtomicWriter, tmp_path: Path) -> None:
    """It changes nothing, is refused once, and taken as soon as it is corrected."""
    put(tmp_path / "settings.toml", "NAME = 1\n")
    settings = following(volume, tmp_path, k8s_watch_files=True)
    assert settings.NAME == 1
    reloader = get_reloader(settings)
    put(tmp_path / "settings.toml", "NAME = [\n")
    eventually(lambda: reloader.status().rejected)
    assert settings.NAME == 1
    assert "settings.toml" in str(reloader.status().last_error)
    looked = reloader.status().checked_at
    eventually(lambda: reloader.status().checked_at != looked)
    assert reloader.status().rejected == 1
    put(tmp_path / "settings.toml", "NAME = 2\n")
    eventually(lambda: settings.NAME == 2)
    assert reloader.status().last_error is None


def test_a_file_that_comes_while_others_are_checked(volume: AtomicWriter, tmp_path: Path) -> None:
    """It is loaded next, once: the generation that was being made does not know it."""
    put(tmp_path / "settings.toml", "NAME = 1\n")
    (tmp_path / "more").mkdir()
    settings = following(volume, tmp_path, k8s_watch_files=True)
    assert settings.NAME == 1
    reloader = get_reloader(settings)

    @reloader.on_validate
    def meanwhile(candidate: Any, changes: Any) -> None:
        reloader.unsubscribe(meanwhile)
        put(tmp_path / "more" / "new.toml", "MORE = 1\n")

    put(tmp_path / "settings.toml", "NAME = 22\n")
    eventually(lambda: (settings.NAME, settings.get("MORE")) == (22, 1))
    assert reloader.reload().outcome == "unchanged"
    assert reloader.status().generation == 3


def test_what_has_not_changed_is_not_loaded_again(volume: AtomicWriter, tmp_path: Path) -> None:
    """Neither what a first load has read nor a file that is only named, and not there."""
    put(tmp_path / "settings.toml", "NAME = 1\n")
    settings = following(volume, tmp_path, k8s_watch_files=True, k8s_watch=False)
    reloader = get_reloader(settings)
    assert reloader.reload().outcome == "unchanged"
    put(tmp_path / "settings.toml", 'NAME = 22\ndynaconf_include = ["absent.toml"]\n')
    assert reloader.reload().outcome == "applied"
    assert reloader.reload().outcome == "unchanged"
    put(tmp_path / "absent.toml", "FOUND = 1\n")
    assert reloader.reload().outcome == "applied"
    assert settings.FOUND == 1


def test_without_the_option_the_watch_looks_at_the_mounts_only(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """A file changes with the next swap, as a part of what is loaded then."""
    put(tmp_path / "settings.toml", "NAME = 1\n")
    settings = following(volume, tmp_path)
    assert settings.NAME == 1
    put(tmp_path / "settings.toml", "NAME = 2\n")
    reloader = get_reloader(settings)
    looked = reloader.status().checked_at
    eventually(lambda: reloader.status().checked_at != looked)
    assert settings.NAME == 1
    volume.write({"MYAPP_A": "2"})
    eventually(lambda: settings.A == 2)
    assert settings.NAME == 2


def test_the_option_is_a_boolean(volume: AtomicWriter, tmp_path: Path) -> None:
    """Anything else is an error that says so."""
    with pytest.raises(Exception, match="k8s_watch_files is not a boolean"):
        bool(following(volume, tmp_path, k8s_watch_files=[]))
