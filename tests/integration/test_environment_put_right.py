"""What the application did to mirrored variables: told, left alone by the watch, and put right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from dynaconf import Dynaconf

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings


def test_drifted_variables_are_named_and_put_right(settings: Any, volume: AtomicWriter) -> None:
    """The watch leaves them; an explicit reload writes what a restart would have."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1", "MYAPP_C": "1"})
    reloader = get_reloader(settings)
    os.environ["MYAPP_A"] = "mine"
    del os.environ["MYAPP_B"]
    assert reloader.status().drifted == ("MYAPP_A", "MYAPP_B")
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1", "MYAPP_C": "2"})
    reloader.following.changed()
    assert (os.environ["MYAPP_A"], "MYAPP_B" in os.environ) == ("mine", False)
    assert reloader.status().drifted == ("MYAPP_A", "MYAPP_B")
    assert reloader.reload().outcome == "applied"
    assert (os.environ["MYAPP_A"], os.environ["MYAPP_B"]) == ("1", "1")
    assert reloader.status().drifted == ()
    assert reloader.reload().outcome == "unchanged"


def test_a_new_object_has_its_variables(volume: AtomicWriter) -> None:
    """Whatever an earlier object or the application did to them, as a fresh process would."""
    volume.write({"MYAPP_A": "1"})
    with mock.patch.dict(os.environ):
        assert make_settings(volume.directory, k8s_watch=False).A == 1
    assert "MYAPP_A" not in os.environ
    second = make_settings(volume.directory, k8s_watch=False)
    assert (second.A, os.environ["MYAPP_A"]) == (1, "1")


def test_starting_again_puts_variables_right(settings: Any, volume: AtomicWriter) -> None:
    """``start()`` after ``stop()`` mirrors what is served."""
    volume.write({"MYAPP_A": "1"})
    reloader = get_reloader(settings)
    del os.environ["MYAPP_A"]
    reloader.stop()
    reloader.start()
    assert os.environ["MYAPP_A"] == "1"


def test_a_settings_file_outside_the_mounts(tmp_path: Path, volume: AtomicWriter) -> None:
    """An explicit reload sees that it has changed, come or gone; the watch does not look at it."""
    first, local = tmp_path / "settings.toml", tmp_path / "settings.local.toml"
    first.write_text("NAME = 'a'\n")
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(
        volume.directory, k8s_watch=False, settings_files=[str(first), "absent*.toml"]
    )
    reloader = get_reloader(settings)
    assert reloader.reload().outcome == "unchanged"
    first.write_text("NAME = 'bb'\n")
    reloader.following.changed()
    assert settings.NAME == "a"
    assert reloader.reload().outcome == "applied"
    assert settings.NAME == "bb"
    local.write_text("NAME = 'local'\n")
    assert reloader.reload().outcome == "applied"
    assert settings.NAME == "local"
    local.unlink()
    assert reloader.reload().outcome == "applied"
    assert settings.NAME == "bb"


def test_a_dotenv_value_shows_again(
    tmp_path: Path, volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that goes leaves what ``.env`` says of it, in the settings and the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYAPP_A", "1")  # as envFrom gives it, so that .env has no say at the start
    (tmp_path / ".env").write_text("MYAPP_A=of the file\nMYAPP_OTHER=of the file\n")
    monkeypatch.setenv("DOTENV_PATH_FOR_DYNACONF", str(tmp_path / ".env"))
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, load_dotenv=True)
    try:
        assert (settings.A, settings.OTHER) == (1, "of the file")
        volume.write({})
        assert get_reloader(settings).reload().outcome == "applied"
        assert (settings.A, os.environ["MYAPP_A"]) == ("of the file", "of the file")
        volume.write({"MYAPP_B": "1"})
        assert get_reloader(settings).reload().outcome == "applied"
        assert (settings.A, os.environ["MYAPP_A"]) == ("of the file", "of the file")
        volume.write({"MYAPP_A": "2"})
        assert get_reloader(settings).reload().outcome == "applied"
        assert (settings.A, os.environ["MYAPP_A"]) == (2, "2")
    finally:
        os.environ.pop("MYAPP_OTHER", None)


def test_names_without_the_prefix_are_no_settings(volume: AtomicWriter) -> None:
    """By default an application with a prefix of its own takes only names that carry it."""
    volume.write({"MYAPP_A": "1", "DEBUG": "true"})
    loaders = ["dynaconf_k8s_reload.loader"]
    mounts = [str(volume.directory)]
    cases: list[tuple[dict[str, Any], bool]] = [
        ({"envvar_prefix": "MYAPP"}, False),
        ({"envvar_prefix": "MYAPP", "k8s_prefixed_only": False}, True),
        ({"envvar_prefix": "MYAPP,OTHER"}, False),
        ({"envvar_prefix": False}, True),
        ({}, True),
    ]
    for options, has_debug in cases:
        settings = Dynaconf(loaders=loaders, k8s_mounts=mounts, k8s_watch=False, **options)
        assert ("DEBUG" in settings) is has_debug, options
        assert os.environ["DEBUG"] == "true"
        volume.write({"MYAPP_A": "2", "DEBUG": "1"})
        get_reloader(settings).reload()
        assert ("DEBUG" in settings) is has_debug, options
        volume.write({"MYAPP_A": "1", "DEBUG": "true"})
        get_reloader(settings).reload()
