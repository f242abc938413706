"""What the application did to mirrored variables: told, left alone by the watch, and put right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from dynaconf import Dynaconf, Validator

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


def test_explaining_a_setting(volume: AtomicWriter, tmp_path: Path) -> None:
    """Mount, file and rule, the mirrored variable or why there is none; otherwise the source."""
    file = tmp_path / "settings.toml"
    file.write_text("FROM_FILE = 1\n[DB]\nNAME = 'x'\n")
    volume.write({"MYAPP_A": "1", "MYAPP_DB__HOST": "h", "PATH": "/bin", "DEBUG": "1"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        k8s_prefixed_only=None,
        settings_files=[str(file)],
        KEYWORD=1,
        validators=[Validator("FROM_FILE", "KEYWORD", cast=float), Validator("DEFAULT", default=1)],
    )
    settings.set("BY_CODE", 1)
    settings.set("LATER", 1, loader_identifier="mine")
    reloader = get_reloader(settings)
    found = reloader.explain("MYAPP_A")
    assert (found.key, found.mount, found.file, found.variable, found.mirrored) == (
        "A",
        str(volume.directory),
        f"{volume.directory}/MYAPP_A",
        "MYAPP_A",
        True,
    )
    assert "without the prefix MYAPP_" in found.rule
    assert str(found).startswith("A: ")
    assert str(found).endswith("mirrored as MYAPP_A")
    assert reloader.explain("db.host").variable == "MYAPP_DB__HOST"
    assert reloader.explain("DB").rule.endswith(", which sets a part of it")
    debug = reloader.explain("DEBUG")
    assert (debug.mount, debug.variable, debug.mirrored) == (None, "DEBUG", True)
    assert "only prefixed names" in debug.rule
    path = reloader.explain("PATH")
    assert (path.mirrored, path.why_not) == (False, "protected")
    assert "not mirrored: protected" in str(path)
    assert reloader.explain("FROM_FILE").file == str(file)
    assert "keyword" in reloader.explain("KEYWORD").rule
    assert "a default of a validator" in reloader.explain("DEFAULT").rule
    for text in ("1", "2"):
        volume.set("MYAPP_A", text)
        reloader.reload()
        assert reloader.explain("BY_CODE").rule == "set by code"
        assert "mine" in reloader.explain("LATER").rule
    assert reloader.explain("NOTHING").rule == "not set"
    assert str(reloader.explain("NOTHING")) == "NOTHING: not set"


def test_explaining_what_is_shadowed_reserved_or_contested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's own value, a name that may not come from a mount, and several mounts."""
    monkeypatch.setenv("MYAPP_OWN", "mine")
    lower, upper = AtomicWriter(tmp_path / "lower"), AtomicWriter(tmp_path / "upper")
    lower.write({"MYAPP_A": "1", "MYAPP_OWN": "1", "MYAPP_INCLUDES_FOR_DYNACONF": "x"})
    upper.write({"A": "2"})
    settings = make_settings(
        lower.directory, upper.directory, k8s_watch=False, k8s_env_wins=["MYAPP_OWN"]
    )
    reloader = get_reloader(settings)
    assert "k8s_env_wins" in reloader.explain("OWN").rule
    assert settings.A == 2
    assert reloader.explain("A").mount == str(upper.directory)
    assert f"which beats {lower.directory}/MYAPP_A" in reloader.explain("A").rule
    assert "reserved" in reloader.explain("INCLUDES_FOR_DYNACONF").rule


def test_explaining_where_no_prefix_is_needed(volume: AtomicWriter) -> None:
    """With ``envvar_prefix=False`` a name as it is beats the one that carries dynaconf's prefix."""
    volume.write({"A": "1", "DYNACONF_A": "2", "DYNACONF_B": "3"})
    settings = make_settings(volume.directory, k8s_watch=False, envvar_prefix=False)
    explain = get_reloader(settings).explain
    for name, variable in (("A", "A"), ("B", "DYNACONF_B")):
        assert str(settings[name]) == os.environ[variable]
        assert (explain(name).mount, explain(name).variable, explain(name).mirrored) == (
            str(volume.directory),
            variable,
            True,
        )
    assert "which beats" in explain("A").rule


def test_explaining_a_variable_that_no_mount_has(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name leads to its setting as a mount's does, unless a setting has that very name."""
    monkeypatch.setenv("MYAPP_OWN__HOST", "mine")
    volume.write({"MYAPP_A": "1", "MYAPP_MYAPP_B": "2", "MYAPP_L": "[1]"})
    settings = make_settings(volume.directory, k8s_watch=False)
    explain = get_reloader(settings).explain
    assert str(explain("MYAPP_OWN__HOST")) == "OWN.HOST: the environment"
    assert str(explain("MYAPP_GONE")) == "GONE: not set"
    assert explain("MYAPP_B").variable == "MYAPP_MYAPP_B"
    assert explain("L[0]").key == "L[0]"
    assert explain("L[0]").rule.endswith(", as a part of what it is nested in")


def test_explaining_the_parts_of_a_table(
    volume: AtomicWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is of the source that has set it, whoever has added others since; so after a reload."""
    files = [tmp_path / "settings.toml", tmp_path / "more.toml"]
    files[0].write_text("[DB]\nNAME = 'x'\nPORTS = [1, {number = 2}]\n")
    files[1].write_text("[DB]\ndynaconf_merge = true\nSIZE = 1\n")
    monkeypatch.setenv("MYAPP_DB__USER", "u")
    volume.write({"MYAPP_DB__HOST": "h"})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        settings_files=list(map(str, files)),
        validators=[Validator("DB.NAME", len_min=1), Validator("DB.TIMEOUT", default=3)],
        post_hooks=[lambda _: {"DB": {"dynaconf_merge": True, "BY_HOOK": 1}}],
    )
    reloader = get_reloader(settings)
    for text in ("h", "i"):
        volume.write({"MYAPP_DB__HOST": text})
        reloader.reload()
        assert text == settings.DB.HOST
        for key, file in (("DB.NAME", 0), ("db.ports[1].number", 0), ("DB.SIZE", 1)):
            assert reloader.explain(key).file == str(files[file]), key
        assert reloader.explain("DB.USER").rule == "the environment"
        assert reloader.explain("DB.HOST").mount == str(volume.directory)
        assert "a hook" in reloader.explain("DB.BY_HOOK").rule
        assert "a default of a validator" in reloader.explain("DB.TIMEOUT").rule
    settings.DB["BY_CODE"] = 1
    assert reloader.explain("DB.BY_CODE").rule == "set by code, after it was loaded"


def test_explaining_a_setting_of_several_parts(volume: AtomicWriter) -> None:
    """Those that set other parts of it stand beside the last one, which beats none of them."""
    volume.write({"MYAPP_DB__HOST": "h", "MYAPP_DB__PORT": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.DB == {"HOST": "h", "PORT": 1}
    rule = get_reloader(settings).explain("DB").rule
    assert rule == (
        f"{volume.directory}/MYAPP_DB__PORT, without the prefix MYAPP_, which sets a part of it, "
        f"beside {volume.directory}/MYAPP_DB__HOST"
    )
