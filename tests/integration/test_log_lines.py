"""The log: one line for each kind and mount, however many names, and nothing but names."""

from __future__ import annotations

import json
import logging
import os
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Dynaconf

from dynaconf_k8s_reload import Changes, get_reloader
from dynaconf_k8s_reload._model.changes import Change
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS, eventually, make_settings

MANY = 200
KEY = "sk-live-4242"  # inside a value


def at_level(logged: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """The lines of a level."""
    return [record.getMessage() for record in logged.records if record.levelno == level]


def numbered(name: str, text: Any = "1", count: int = MANY) -> dict[str, Any]:
    """Many keys of one kind."""
    return {name.format(n): text for n in range(count)}


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "no identifier": (
        numbered("a-{}"),
        "200 names are not mirrored: not variable names (a-0, a-1, a-10 and 197 more)",
    ),
    "reserved": (
        numbered("A{}_FOR_DYNACONF"),
        "200 names are not mirrored: reserved for dynaconf, so they are not settings either (A0_",
    ),
    "protected": (numbered("LD_{}"), "200 names are not mirrored: protected (LD_0, "),
    "NUL": (numbered("N{}", "a\0b"), "200 names are not mirrored: contains NUL (N0, "),
    "bytes": (numbered("B{}", b"\xff"), "200 names are not mirrored: not UTF-8 text (B0, "),
    "shadowed": (
        numbered("BOOT{}"),
        "200 names are not mirrored: shadowed by k8s_env_wins (BOOT0, BOOT1, BOOT10 and 197 ",
    ),
    "differing": (
        numbered("BOOT{}"),
        "200 variables had other values in the process than in ",
    ),
    "contested": (numbered("C{}"), "200 variables are provided by "),
    "doubles": (
        {**numbered("D{}"), **numbered("MYAPP_D{}")},
        "200 settings have two keys each (MYAPP_D0 and D0, MYAPP_D1 and D1, MYAPP_D10 and D10 ",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_many_names_are_one_line(
    volume: AtomicWriter,
    tmp_path: Path,
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """One at the first load, none at the next ten reloads; again once the set has changed."""
    keys, line = KINDS[kind]
    if kind in {"shadowed", "differing"}:
        for name in keys:
            monkeypatch.setenv(name, "boot")
    other = AtomicWriter(tmp_path / "other")
    contesting = make_settings(other.directory, k8s_watch=False)  # kept, or it would claim nothing
    if kind == "contested":
        other.write({**keys, **numbered("C{}", "2")})
        assert contesting.C1 == 2
        logged.clear()
    volume.write(keys)
    wins = ["BOOT*"] if kind == "shadowed" else []
    changing = AtomicWriter(tmp_path / "changing")
    changing.write({"COUNT": "first"})
    settings = make_settings(
        volume.directory, changing.directory, k8s_watch=False, k8s_env_wins=wins
    )
    assert settings.COUNT == "first"
    (told,) = at_level(logged)
    assert line in told
    assert told.endswith(" [MYAPP]")
    assert len(told) < 600
    assert str(volume.directory) in told

    logged.clear()
    for count in range(10):
        changing.write({"COUNT": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
    assert at_level(logged) == []

    if kind != "differing":  # which is of the first load
        gone = next(reversed(keys))
        volume.delete(gone)
        get_reloader(settings).reload()
        (told,) = at_level(logged)
        assert "199" in told


def test_many_links_and_restart_keys_are_one_line_each(
    volume: AtomicWriter, tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    """Of what only a plain directory can hold, and of what only a change brings; once each."""
    plain, changing = tmp_path / "plain", AtomicWriter(tmp_path / "changing")
    plain.mkdir()
    changing.write({"COUNT": "first"})
    (tmp_path / "outside").write_text("s3cret")
    for name in numbered("L{}"):
        (plain / name).symlink_to(tmp_path / "outside")
    volume.write(numbered("R{}"))
    settings = make_settings(
        plain, volume.directory, changing.directory, k8s_watch=False, k8s_restart_keys=["R*"]
    )
    assert settings.R1 == 1
    (told,) = at_level(logged)
    assert told.startswith(f"mount {plain}: links that lead out of it are left out (L0, L1, L10 ")
    assert " and 197 more)" in told
    logged.clear()
    volume.write(numbered("R{}", "2"))
    for count in range(10):
        changing.write({"COUNT": str(count)})
        assert get_reloader(settings).reload().outcome == "applied"
    (told,) = at_level(logged)
    assert told.startswith("200 settings have changed that take effect with a restart only (R0,")


def test_many_changes_are_one_line(
    volume: AtomicWriter, settings: Any, logged: pytest.LogCaptureFixture
) -> None:
    """Of many changed settings the first are named; counts have their commas."""
    volume.write({**numbered("A{}", count=1000), "GONE": "1"})
    reloader = get_reloader(settings)
    logged.clear()
    volume.write(numbered("A{}", "2", count=1000))
    reloader.reload()
    (line,) = at_level(logged, logging.INFO)
    assert line.startswith("generation 2 applied: 1,001 settings changed (")
    assert "A0 modified, " in line
    assert " and 991 more), 1,000 variables in 1 mount, " in line
    assert line.endswith(" s [MYAPP]")


def test_a_single_name_is_told_with_its_file(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """A line about one name has it first; what was warned of comes again after it had gone."""
    volume.write({"a-b": "1", "KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    volume.delete("a-b")
    reloader.reload()
    volume.set("a-b", "1")
    reloader.reload()
    line = f"{volume.directory}/a-b is not mirrored: not a C identifier [MYAPP]"
    assert at_level(logged) == [line, line]


@pytest.mark.parametrize("watch", [True, False])
def test_a_first_load_says_what_it_is(
    volume: AtomicWriter, tmp_path: Path, logged: pytest.LogCaptureFixture, watch: bool
) -> None:
    """The keys of each mount, and whether they are watched."""
    other = AtomicWriter(tmp_path / "other")
    other.write({"ONE": "1"})
    volume.write({"A": "1", "B": "2"})
    settings = make_settings(volume.directory, other.directory, k8s_watch=watch)
    assert settings.A == 1
    how = "watching" if watch else "not watching"
    assert at_level(logged, logging.INFO) == [
        f"loaded 2 keys of {volume.directory} and 1 key of {other.directory}, {how} [MYAPP]"
    ]
    logged.clear()
    assert make_settings(envvar_prefix="A,B").get("nothing") is None
    assert at_level(logged, logging.INFO) == ["loaded no mount, not watching [A,B]"]


def test_an_object_without_a_prefix_is_told_by_its_module(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the module that has made it, not one that has imported it from there."""
    volume.write({"A": "1"})
    options: Any = {"loaders": LOADERS, "k8s_mounts": [str(volume.directory)], "k8s_watch": False}
    nowhere = Dynaconf(**options)
    assert nowhere.A == 1
    assert at_level(logged, logging.INFO)[-1].endswith(", not watching")
    importer, maker = types.ModuleType("myapp_views"), types.ModuleType("myapp_config")
    for module in (importer, maker):
        module.settings = nowhere  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    volume.write({"A": "2"})
    get_reloader(nowhere).reload()
    assert at_level(logged, logging.INFO)[-1].endswith(" s [myapp_config]")


def test_what_a_subscriber_raises_is_told_with_the_object(
    volume: AtomicWriter, settings: Any, logged: pytest.LogCaptureFixture
) -> None:
    """Also what an observer raises, which runs after a reload."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    reloader.on_change()(_refuse)
    reloader.observe(_refuse)
    volume.write({"A": "2"})
    assert reloader.reload().outcome == "applied"
    eventually(lambda: len(at_level(logged, logging.ERROR)) == 2)
    told = sorted(at_level(logged, logging.ERROR))
    assert told[0].startswith("subscriber _refuse failed: ValueError at ")
    assert told[1].startswith("what follows a reload failed: ValueError at ")
    assert [line.rpartition(" ")[2] for line in told] == ["[MYAPP]", "[MYAPP]"]


def test_a_restart_key_is_a_warning(volume: AtomicWriter, logged: pytest.LogCaptureFixture) -> None:
    """Once for each set of them; changed back, a restart is required no more."""
    volume.write({"PORT": "1", "DB__HOST": "a", "OTHER": "1"})
    settings = make_settings(volume.directory, k8s_watch=False, k8s_restart_keys=["PORT", "DB.*"])
    reloader = get_reloader(settings)

    def after(**keys: str) -> tuple[tuple[str, ...], list[str]]:
        logged.clear()
        volume.write({**{k: v.decode() for k, v in volume.payload.items()}, **keys})
        assert reloader.reload().outcome == "applied"
        told = [*at_level(logged), *at_level(logged, logging.INFO)[:-1]]
        return reloader.status().restart_required, told

    one = "PORT has changed, which takes effect with a restart only [MYAPP]"
    assert after(PORT="2") == (("PORT",), [one])
    assert after(PORT="3") == (("PORT",), [])
    assert after(OTHER="2") == (("PORT",), [])
    assert after(DB__HOST="b") == (
        ("PORT", "DB.HOST"),
        ["2 settings have changed that take effect with a restart only (PORT, DB.HOST) [MYAPP]"],
    )
    assert after(DB__HOST="a") == (("PORT",), [one])
    assert after(PORT="1") == ((), ["no restart is required any more [MYAPP]"])
    assert after(PORT="2") == (("PORT",), [one])
    volume.delete("PORT")
    reloader.reload()
    assert reloader.status().restart_required == ("PORT",)


def test_keys_inside_a_value_are_not_shown(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """A key of a table may be a token: what is shown goes as deep as the names of files do."""
    volume.write({"API_KEYS": f'@json {{"{KEY}": "bob"}}', "DB__HOST": "a", "app.toml": ""})
    settings = make_settings(
        volume.directory,
        k8s_watch=False,
        k8s_restart_keys=["API_KEYS", "db__port"],
        settings_files=[str(volume.directory / "app.toml")],
    )
    reloader = get_reloader(settings)
    volume.write(
        {
            "API_KEYS": f'{{"x{KEY}" = {{"{KEY}" = 1, "y{KEY}" = 2}}}}',
            "DB__HOST": "b",
            "DB": "{PORT=1, NAME='x'}",
            "app.toml": f"[TABLE]\n{KEY} = 1\n",
        }
    )
    result = reloader.reload()
    status = reloader.status()
    assert f"API_KEYS.{KEY}" in result.changes
    (line,) = at_level(logged, logging.INFO)[1:]
    for name in ("API_KEYS modified", "DB.HOST modified", "DB.PORT added", "TABLE added"):
        assert name in line
    assert "DB added" in line  # its key NAME stands in no file's name
    assert status.restart_required == ("API_KEYS", "DB.PORT")
    changes = result.changes.matching(["API_KEYS"])
    said = [repr(result), repr(result.changes), repr(changes), json.dumps(status.as_dict())]
    said += [repr(change) for change in [*result.changes.values(), *changes.then(changes).values()]]
    assert KEY not in "".join([*said, *logged.messages, repr(status)])


def test_no_name_forges_a_line(volume: AtomicWriter, logged: pytest.LogCaptureFixture) -> None:
    """What is no printable character is escaped, in names of files too; letters stay letters."""
    volume.write({"A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    forged = "x\nERROR root: logged in\x1b[31m\u2028\u202eé"
    data = volume.directory / os.readlink(volume.directory / "..data")
    (data / forged).write_text("1")
    (data / "A").write_text("2")
    (data / "..swap").touch()
    os.rename(data, f"{data}9")
    os.symlink(f"{data.name}9", volume.directory / "..data_tmp")
    os.replace(volume.directory / "..data_tmp", volume.directory / "..data")
    result = reloader.reload()
    assert result.outcome == "applied"
    shown = r"x\nERROR root: logged in\x1b[31m\u2028\u202eé"
    assert f"/{shown} is not mirrored: " in at_level(logged)[0]
    said = [*logged.messages, repr(result), repr(result.changes)]
    assert not [line for line in said if not line.isprintable()]

    reloader.on_validate(_refuse)
    (volume.directory / "..data" / "A").write_text("@int")
    volume.write({"A": "3"})
    reloader.reload()
    assert at_level(logged, logging.ERROR)[-1].isprintable()


def test_the_end_of_a_refusal_is_told_once(
    volume: AtomicWriter, tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    """Also where nothing is applied; not for an object that the refusal was not logged for."""
    volume.write({"MYAPP_A": "1"})
    other = AtomicWriter(tmp_path / "other")
    other.write({"B": "1"})
    mounts = (volume.directory, other.directory)
    bystander = get_reloader(make_settings(*mounts, envvar_prefix="OTHER"))
    reloader = get_reloader(make_settings(*mounts))
    reloader.on_validate(_refuse)
    over = (
        f"no update of {volume.directory}, {other.directory} is refused any more; its content is "
        "what is being served again [MYAPP]"
    )
    for _ in range(2):
        logged.clear()
        volume.write({"MYAPP_A": "2"})
        eventually(lambda: bystander.status().last_error)
        volume.write({"MYAPP_A": "1"})
        eventually(lambda: reloader.status().last_error is None)
        assert reloader.reload().outcome == bystander.reload().outcome == "unchanged"
        assert at_level(logged, logging.INFO) == [over]
        assert len(at_level(logged, logging.ERROR)) == 1
    reloader.unsubscribe(_refuse)
    logged.clear()
    volume.write({"MYAPP_A": "3"})
    eventually(lambda: reloader.status().generation == 2)
    assert over not in logged.messages


def _refuse(*_: object) -> None:
    raise ValueError("no")


def test_a_change_is_shown_by_its_key_unless_told_otherwise() -> None:
    """What somebody makes by hand has no names of files; what it says is escaped."""
    change = Change("DB.\nHOST", 1, 2, "modified")
    assert change.shown == r"DB.\nHOST"
    assert change == Change("DB.\nHOST", 1, 2, "modified", shown="DB")
    assert repr(Changes([change])) == r"Changes(DB.\nHOST: modified)"


def test_counts_agree_with_their_nouns(
    volume: AtomicWriter, settings: Any, logged: pytest.LogCaptureFixture
) -> None:
    """One setting, two settings."""
    volume.write({"A": "1"})
    reloader = get_reloader(settings)
    for content in ({"A": "2"}, {"A": "3", "B": "1"}):
        volume.write(content)
        reloader.reload()
    first, second, third = at_level(logged, logging.INFO)
    assert first.startswith("loaded 1 key of ")
    assert ": 1 setting changed (A modified), 1 variable in 1 mount, " in second
    assert ": 2 settings changed (A modified, B added), 2 variables in 1 mount, " in third
    assert Counter(logged.messages).most_common(1)[0][1] == 1
