"""`Reloader.explain`: where a setting comes from, and what becomes of its variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dynaconf import Validator

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings


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


@pytest.mark.parametrize("key", ["LIST[2]", "LIST.x", "LIST[0].x", "TEXT[0]", "TEXT.x", "DB.y"])
def test_explaining_what_is_not_in_a_value(volume: AtomicWriter, key: str) -> None:
    """It is not set, whatever the value is."""
    volume.write({})
    settings = make_settings(
        volume.directory, k8s_watch=False, LIST=[{"y": 1}, 2], TEXT="text", DB={"x": 1}
    )
    assert get_reloader(settings).explain(key).rule == "not set"


@pytest.mark.parametrize("is_mirrored", [True, False])
def test_explaining_what_becomes_of_a_variable(volume: AtomicWriter, is_mirrored: bool) -> None:
    """It is mirrored, or it is told why not; the file of a name as it is says it all."""
    volume.write({"A": "1"})
    mount = {"path": str(volume.directory), "mirror": is_mirrored}
    found = get_reloader(make_settings(mount, k8s_watch=False)).explain("A")
    assert found.rule == f"{volume.directory}/A"
    told = "mirrored as A" if is_mirrored else f"A is not mirrored: {found.why_not}"
    assert str(found) == f"A: {found.rule}; {told}"
    assert (found.mirrored, found.why_not is None) == (is_mirrored, is_mirrored)
    assert is_mirrored or str(found.why_not).startswith("its mount is not mirrored")


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
