"""The loader makes of a file what dynaconf's env_loader makes of a variable."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Dynaconf, get_history
from dynaconf.strategies.filtering import PrefixFilter
from hypothesis import HealthCheck, example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from dynaconf_k8s_reload import ConfigError, MountError, ReloadRejected, get_reloader
from dynaconf_k8s_reload._model.changes import same
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS, make_settings

TOKENS = [
    *("@int 42", "@int x", "@float 1.5", "@bool yes", "@json [1, {}]", "@json {", "@none", "@null"),
    *("@format {this.OTHER}", "@format {env[HOME]}", "@format {this.NOPE}", "@jinja {{ 1 + 1 }}"),
    *("@merge a,b", "@merge {a=1}", "@merge_unique [1, 1]", "@insert 0 x", "@insert x", "@del"),
    *("@str 5", "@empty", "@get OTHER", "@read_file /nope x", "@upper a", "@int @jinja {{ 4 }}"),
    *(
        "True",
        "False",
        "true",
        "1",
        "1.0",
        "-0",
        "1e5",
        "0x10",
        "1979-05-27",
        '"42"',
        "'x'",
        "[1,2]",
    ),
    *(
        "{a=1}",
        '{"a": 1}',
        "",
        " ",
        "\n",
        "a\n",
        "a\nb\n",
        "a\r\n",
        "false\r\n",
        "a\r\nb\r\n",
        "\r\n",
        "\ufefftrue",
        "42 \r\n",
        " 42",
        "web \n",
        "@",
        "@unknown x",
        "dynaconf_merge",
    ),
]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
KEYS = st.sampled_from(
    [
        *(
            "A",
            "a",
            "OTHER",
            "DB__HOST",
            "db__Host",
            "DB__A__B",
            "LIST__0",
            "LIST___1",
            "A__",
            "A___B",
        ),
        *("X.y", "X[0]", "UNKNOWN", "DB", "__A", "A-B", "A B"),
    ]
)
BASE = {"OTHER": "here", "LIST": [1, 2], "DB": {"host": "h", "Port": 1}, "A": {"b": [1]}}
thorough = profile(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have these variables in the process for a moment."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def comparable(value: Any) -> Any:
    """Replace what dynaconf left unapplied, such as a merge with nothing, by what it says."""
    if isinstance(value, dict):
        return {key: comparable(value[key]) for key in list(value)}  # evaluates lazy values
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if type(value).__module__ == "dynaconf.utils.parse_conf":
        return [type(value).__name__, comparable(value.value)]
    return value


def outcome(make: Any) -> Any:
    """Load settings and lay them out, or tell the kind of failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dynaconf warns of some of its own tokens
        try:
            settings = make()
            own = ("K8S_", "FILTER_STRATEGY")
            keys = [key for key in settings.as_dict() if not key.startswith(own)]
            return {key: comparable(settings[key]) for key in keys}
        except Exception as error:
            return type(error)


def assert_parity(directory: Path, names: Mapping[str, str], **options: Any) -> None:
    """Compare settings from files with those from variables of the same names and texts."""
    for old in directory.iterdir():
        old.unlink()
    for name, text in names.items():
        (directory / name).write_bytes(text.encode())
    less = {name: re.sub(r"\A([^\n]*?)\r?\n\Z", r"\1", text) for name, text in names.items()}
    options = {"envvar_prefix": "MYAPP", **BASE, **options}
    with environment(less):
        expected = outcome(lambda: Dynaconf(**deepcopy(options)))
    off = {"k8s_mirror": False, "k8s_watch": False}
    found = outcome(lambda: make_settings(directory, **off, **deepcopy(options)))
    assert same(found, expected), (found, expected)


@thorough
@given(text=TEXTS | st.sampled_from(TOKENS))
@example(text="@merge [3]")
@example(text="@merge {b=2}")
def test_any_text_is_parsed_as_a_variable_is(tmp_path: Path, text: str) -> None:
    """Whatever the text, a file gives the setting that a variable with it gives."""
    assert_parity(tmp_path, {"MYAPP_NEW": text, "MYAPP_LIST": text})


PARSED = [
    *("false", "42", "1.5", "['a', 'b']", "{port=5432}", '@json {"a": 1}', "@int 3"),
    *("@str a", "@format a {this.OTHER}", "@jinja a", "@merge a,b", "@merge k=v", "@insert a"),
]


@pytest.mark.parametrize("text", PARSED)
@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\n", "\t\n"])
def test_an_end_of_line_changes_no_type(tmp_path: Path, text: str, end: str) -> None:
    """What dynaconf parses in a variable with an end of line, it parses in such a file."""
    (tmp_path / "MYAPP_A").write_bytes(f"{text}{end}".encode())
    found = make_settings(tmp_path, k8s_watch=False, k8s_mirror=False, OTHER="here")
    with environment({"MYAPP_A": f"{text}{end}"}):
        expected = Dynaconf(envvar_prefix="MYAPP", OTHER="here").A
    assert same(found.A, expected)


@pytest.mark.parametrize("token", ["@none", "@del", "@empty", "@handle"])
def test_a_token_with_an_end_of_line_is_none(tmp_path: Path, token: str) -> None:
    """dynaconf refuses it or takes it for text, and what looks like a token then is still text."""
    (tmp_path / "MYAPP_A").write_text(f"{token}\n")
    with environment({"MYAPP_A": f"{token}\n"}):
        expected = outcome(lambda: Dynaconf(envvar_prefix="MYAPP"))
    found = outcome(lambda: make_settings(tmp_path, k8s_watch=False, k8s_mirror=False))
    if isinstance(expected, dict):
        assert same(found, {**expected, "A": expected["A"].rstrip("\n")})
    else:
        assert (found, expected) == (ReloadRejected, KeyError)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("web\r\n", "web"),
        ("web\n", "web"),
        ("web\r", "web\r"),
        ("web \r\n", "web "),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("web\r\n\r\n", "web\r\n\r\n"),
        ("\ufeffweb\r\n", "\ufeffweb"),
        ('"web\\n"\n', "web\n"),
    ],
)
def test_text_loses_one_end_of_line(tmp_path: Path, text: str, value: str) -> None:
    """Text loses the only end of line, of either kind; marks, blanks and further lines stay."""
    (tmp_path / "A").write_bytes(text.encode())
    settings = make_settings(tmp_path, k8s_watch=False, k8s_mirror=False)
    assert value == settings.A


@thorough
@given(key=KEYS, text=TEXTS | st.sampled_from(TOKENS))
def test_any_key_is_taken_as_a_variable_is(tmp_path: Path, key: str, text: str) -> None:
    """Whatever the key: nesting, index access, casing, tokens within nested values."""
    assert_parity(tmp_path, {f"MYAPP_{key}": text})


@thorough
@given(
    key=KEYS,
    text=TEXTS | st.sampled_from(TOKENS),
    options=st.sampled_from(
        [
            {"ignore_unknown_envvars": True},
            {"merge_enabled": True},
            {"nested_separator": "___"},
            {"dotted_lookup": False},
            {"auto_cast": False},
            {"index_separator": "___"},
            {"filter_strategy": PrefixFilter("X")},
            {"lowercase_read": False},
        ]
    ),
)
def test_options_of_dynaconf_apply(
    tmp_path: Path, key: str, text: str, options: dict[str, Any]
) -> None:
    """Each option by which dynaconf loads variables otherwise makes the same difference."""
    assert_parity(tmp_path, {f"MYAPP_{key}": text, "MYAPP_XA": "1", "MYAPP_XB__C": "2"}, **options)


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("MYAPP,OTHERAPP", {"MYAPP_A": "1", "OTHERAPP_A": "2", "DYNACONF_A": "3", "MYAPP_B": "4"}),
        ("OTHERAPP,MYAPP", {"MYAPP_A": "1", "OTHERAPP_A": "2", "DYNACONF_B": "3"}),
        ("MYAPP,MYAPP_SUB", {"MYAPP_SUB_A": "1", "MYAPP_A": "2"}),
        ("myapp", {"MYAPP_A": "1"}),
        ("DYNACONF", {"DYNACONF_A": "1"}),
        ("", {"_A": "1", "DYNACONF_B": "2"}),
    ],
)
def test_prefixes_apply_in_their_order(tmp_path: Path, prefix: str, names: dict[str, str]) -> None:
    """Several prefixes, and DYNACONF beneath them, apply in the order of env_loader."""
    assert_parity(tmp_path, names, envvar_prefix=prefix)


def test_no_prefix_takes_names_as_they_are(tmp_path: Path) -> None:
    """With envvar_prefix=False every name is a setting, as it stands."""
    (tmp_path / "KEY1").write_text("1")
    (tmp_path / "DYNACONF_B").write_text("2")
    settings = make_settings(tmp_path, envvar_prefix=False, k8s_watch=False, k8s_mirror=False)
    assert (settings.KEY1, settings.B, settings.DYNACONF_B) == (1, 2, 2)


def test_without_environment_the_mount_is_still_loaded(tmp_path: Path) -> None:
    """envvar_prefix=None loads no environment; the mount's names are taken as they are."""
    (tmp_path / "MYAPP_A").write_text("1")
    with environment({"MYAPP_B": "2"}):
        settings = make_settings(tmp_path, envvar_prefix=None, k8s_watch=False, k8s_mirror=False)
        assert settings.MYAPP_A == 1
        assert settings.get("B") is settings.get("MYAPP_B") is None


def test_plain_names_and_prefixed_only(volume: AtomicWriter) -> None:
    """Unprefixed names become settings, unless only prefixed ones may; all are mirrored."""
    volume.write({"MYAPP_A": "1", "B": "2"})
    assert make_settings(volume.directory, k8s_watch=False).B == 2
    only = make_settings(volume.directory, k8s_watch=False, k8s_prefixed_only=True)
    assert only.A == 1
    assert only.get("B") is None
    assert os.environ["B"] == "2"
    said = make_settings(
        {"path": str(volume.directory), "prefixed_only": False},
        k8s_watch=False,
        k8s_prefixed_only=True,
    )
    assert said.B == 2


def test_two_names_for_one_setting(volume: AtomicWriter, logged: pytest.LogCaptureFixture) -> None:
    """Of two names of one mount the prefixed wins, and a warning names both, once."""
    volume.write({"MYAPP_DB__HOST": "prefixed", "db__host": "plain", "DB__PORT": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.DB.HOST == "prefixed"
    volume.set("OTHER", "1")
    assert get_reloader(settings).reload().outcome == "applied"
    told = [record.message for record in logged.records if "both name" in record.message]
    assert len(told) == 1
    assert "MYAPP_DB__HOST" in told[0]
    assert "db__host" in told[0]
    assert "plain" not in told[0]


def test_two_names_that_are_no_setting(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """Of two reserved names neither wins, so that the log does not say that one does."""
    volume.write({"MYAPP_SETTINGS_MODULE": "os", "SETTINGS_MODULE": "os", "MYAPP_A": "1"})
    assert make_settings(volume.directory, k8s_watch=False).A == 1
    (told,) = [record.message for record in logged.records if record.levelname == "WARNING"]
    assert "MYAPP_SETTINGS_MODULE, SETTINGS_MODULE" in told
    assert "not settings either" in told


def test_later_mounts_win_and_uncover(tmp_path: Path) -> None:
    """The last mount that provides a name wins; when it goes, the one beneath shows through."""
    low, high = AtomicWriter(tmp_path / "low"), AtomicWriter(tmp_path / "high")
    low.write({"MYAPP_A": "low", "MYAPP_B": "low"})
    high.write({"MYAPP_A": "high"})
    settings = make_settings(low.directory, high.directory, k8s_watch=False)
    assert (settings.A, settings.B, os.environ["MYAPP_A"]) == ("high", "low", "high")
    high.write({})
    get_reloader(settings).reload()
    assert (settings.A, os.environ["MYAPP_A"]) == ("low", "low")


def test_the_mount_beats_the_environment(volume: AtomicWriter) -> None:
    """A name that a mount provides is not loaded from the environment; others are."""
    volume.write({"MYAPP_A": "mount"})
    with environment({"MYAPP_B": "environment"}):
        settings = make_settings(volume.directory, k8s_watch=False)
        assert (settings.A, settings.B) == ("mount", "environment")


def test_environment_and_mounts_beat_includes(tmp_path: Path, volume: AtomicWriter) -> None:
    """They are applied last, after dynaconf_include and includes= as well."""
    (tmp_path / "settings.toml").write_text('dynaconf_include = ["more.toml"]\nA = "file"\n')
    (tmp_path / "more.toml").write_text('A = "include"\nB = "include"\nC = "include"\n')
    (tmp_path / "other.toml").write_text('D = "include"\n')
    volume.write({"MYAPP_A": "mount", "MYAPP_D": "mount"})
    with environment({"MYAPP_B": "environment"}):
        settings = make_settings(
            volume.directory,
            settings_files=["settings.toml"],
            root_path=str(tmp_path),
            includes=["other.toml"],
            k8s_watch=False,
        )
        assert (settings.A, settings.B, settings.C, settings.D) == (
            "mount",
            "environment",
            "include",
            "mount",
        )
        volume.set("MYAPP_A", "again")
        get_reloader(settings).reload()
        assert (settings.A, settings.B, settings.C, settings.D) == (
            "again",
            "environment",
            "include",
            "mount",
        )


def test_history_names_mount_and_file(volume: AtomicWriter) -> None:
    """dynaconf's history of a setting names the file, and the variable for the environment."""
    volume.write({"MYAPP_A": "1"})
    with environment({"MYAPP_B": "2"}):
        settings = make_settings(volume.directory, k8s_watch=False)
        settings.get("A")
        [entry] = [e for e in get_history(settings, "A") if e["loader"] == "k8s_mount"]
        assert entry["identifier"] == f"{volume.directory}/MYAPP_A"
        assert [e["loader"] for e in get_history(settings, "B")] == ["env_global"]


def test_get_fresh_loads_what_is_nested(volume: AtomicWriter) -> None:
    """get_fresh of a table loads every key of it, of mount and environment, and no other."""
    volume.write({"MYAPP_DB__HOST": "h", "DB__PORT": "1", "MYAPP_DBX": "x"})
    with environment({"MYAPP_DB__USER": "u"}):
        settings = make_settings(volume.directory, k8s_watch=False)
        settings.set("DBX", "touched")
        assert settings.get_fresh("DB") == {"HOST": "h", "PORT": 1, "USER": "u"}
        assert settings.get_fresh("db.host") == "h"
        assert settings.DBX == "touched"


def test_a_secret_mount_is_taken_literally(volume: AtomicWriter) -> None:
    """Nothing in a secret mount is parsed, formatted or mirrored, nested or not, merged or not."""
    texts = {"MYAPP_A": "42", "MYAPP_B": "@format {this.A}", "MYAPP_DB__X": "@int 1"}
    volume.write({**texts, "MYAPP_DB__Y": "true", "MYAPP_C": "@del", "MYAPP_D": "True\n"})
    settings = make_settings(
        {"path": str(volume.directory), "secret": True}, k8s_watch=False, DB={"Z": 3}
    )
    assert settings.A == "42"
    assert settings.B == "@format {this.A}"
    assert settings.DB == {"X": "@int 1", "Y": "true", "Z": 3}
    assert settings.C == "@del"
    assert settings.D == "True"
    assert {type(value) for value in (settings.B, settings.DB.X, settings.get_fresh("C"))} == {str}
    assert not [name for name in os.environ if name.startswith("MYAPP_")]


def test_bytes_become_a_setting_of_bytes(volume: AtomicWriter) -> None:
    """Content that is no UTF-8 is a setting of bytes, and no variable."""
    volume.write({"MYAPP_A": b"\xff\x00"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.A == b"\xff\x00"
    assert "MYAPP_A" not in os.environ


@pytest.mark.parametrize(
    "name",
    [
        *("INCLUDES_FOR_DYNACONF", "MYAPP_INCLUDES_FOR_DYNACONF", "MYAPP_DYNACONF_INCLUDE"),
        *("SETTINGS_MODULE", "MYAPP_SETTINGS_MODULE", "_registered_hooks", "MYAPP_YAML"),
        *("K8S_MOUNTS", "MYAPP_K8S_MOUNTS", "K8S_MOUNTS_FOR_DYNACONF", "MYAPP_LOAD_DOTENV"),
        *("LOADERS_FOR_DYNACONF", "INCLUDES_FOR_DYNACONF__0", "MYAPP_default_settings_paths"),
    ],
)
def test_a_mount_reconfigures_nothing(
    tmp_path: Path, volume: AtomicWriter, name: str, logged: pytest.LogCaptureFixture
) -> None:
    """A name that would reconfigure dynaconf or this package is skipped, and said to be."""
    evil = tmp_path / "evil.toml"
    evil.write_text("EVIL = 1\n")
    plain = make_settings(volume.directory, k8s_watch=False).as_dict()
    volume.write({name: str(evil), "A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.as_dict() == {**plain, "A": 1}
    assert name not in os.environ
    [(skipped, reason)] = get_reloader(settings).status().skipped.items()
    assert skipped == name
    assert reason.startswith("reserved for dynaconf")
    assert name in logged.text
    settings.reload()
    settings.get_fresh("A")
    assert settings.get("EVIL") is None


def test_env_loader_beside_a_mirror_is_refused(volume: AtomicWriter) -> None:
    """env_loader would bring deleted keys back, so it is refused, with the remedy."""
    loaders = ["dynaconf.loaders.env_loader", *LOADERS]
    settings = make_settings(volume.directory, loaders=loaders)
    with pytest.raises(ConfigError, match="take it out of the list"):
        settings.get("A")


@pytest.mark.parametrize("first", [True, False])
def test_env_loader_without_a_mirror_wins(volume: AtomicWriter, first: bool) -> None:
    """Without a mirror env_loader may stand beside, in any order, and the environment wins."""
    volume.write({"MYAPP_A": "mount", "MYAPP_B": "mount"})
    env_loader = "dynaconf.loaders.env_loader"
    loaders = [env_loader, *LOADERS] if first else [*LOADERS, env_loader]
    with environment({"MYAPP_A": "environment"}):
        settings = make_settings(
            volume.directory, loaders=loaders, k8s_mirror=False, k8s_watch=False
        )
        assert (settings.A, settings.B) == ("environment", "mount")


def test_everything_may_be_said_from_outside(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader and its options may come from the environment, with no change of code."""
    volume.write({"MYAPP_A": "1"})
    monkeypatch.setenv("LOADERS_FOR_DYNACONF", '["dynaconf_k8s_reload.loader"]')
    monkeypatch.setenv("K8S_MOUNTS_FOR_DYNACONF", f'["{volume.directory}"]')
    monkeypatch.setenv("K8S_WATCH_FOR_DYNACONF", "false")
    settings = Dynaconf(envvar_prefix="MYAPP")
    assert settings.A == 1
    assert get_reloader(settings).status().watching == "off"


def test_children_and_environments_see_the_mount(tmp_path: Path, volume: AtomicWriter) -> None:
    """from_env children and using_env serve the mount, beside their own environment's file."""
    (tmp_path / "settings.toml").write_text('[default]\nF = "d"\n[other]\nF = "o"\n')
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(
        volume.directory,
        settings_files=["settings.toml"],
        root_path=str(tmp_path),
        environments=True,
        k8s_watch=False,
    )
    child = settings.from_env("other")
    assert (settings.F, child.F, child.A) == ("d", "o", 1)
    with settings.using_env("other"):
        assert (settings.F, settings.A) == ("o", 1)
    volume.set("MYAPP_A", "2")
    get_reloader(settings).reload()
    assert (settings.A, child.A, settings.from_env("other").A) == (2, 2, 2)
    assert settings.from_env("other") is child


def test_the_package_is_not_the_loader(volume: AtomicWriter) -> None:
    """Whoever lists the package in place of its loader is told the right name."""
    settings = make_settings(volume.directory, loaders=["dynaconf_k8s_reload"])
    with pytest.raises(ConfigError, match=r'loaders=\["dynaconf_k8s_reload.loader"\]'):
        settings.get("A")


def test_a_required_mount_must_be_there(tmp_path: Path) -> None:
    """An absent directory is waited for, unless it is required: then it is an error."""
    absent = tmp_path / "absent"
    assert make_settings(absent, k8s_watch=False).get("A") is None
    settings = make_settings({"path": str(absent), "required": True})
    with pytest.raises(MountError, match="absent and required"):
        settings.get("A")
