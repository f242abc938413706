"""The options: keywords, variables, and what to write instead of a mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import ConfigError, Mount
from dynaconf_k8s_reload._model.options import DEFAULT_PROTECTED, Options
from dynaconf_k8s_reload._source import reader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import LOADERS, make_settings

GIVEN: dict[str, tuple[str, Any, Any]] = {
    "k8s_mounts": ('["/a", {path="/b", secret=true}]', ["/a"], (Mount("/a"),)),
    "k8s_watch": ("false", False, False),
    "k8s_mirror": ("False", False, False),
    "k8s_env_wins": ('["A_*"]', ["A_*"], ("A_*",)),
    "k8s_prefixed_only": ("true", True, True),
    "k8s_protected": ("[]", (), ()),
    "k8s_resync": ("5", 5, 5.0),
    "k8s_debounce": ("0.5", 0.5, 0.5),
    "k8s_restart_keys": ('["DB.*"]', ["DB.*"], ("DB.*",)),
    "k8s_restart_503": ("True", True, True),
    "k8s_settle": ("1", 1, 1.0),
    "k8s_jitter": ("2.5", 2.5, 2.5),
    "k8s_watch_files": ("true", True, True),
    "k8s_last_good": ("/kept", "/kept", "/kept"),
}


def test_defaults() -> None:
    """Without any option everything has its default, and where `/config` is no volume, no mount."""
    assert Options.read({}, {}) == Options(
        k8s_mounts=(),
        k8s_watch=True,
        k8s_mirror=True,
        k8s_env_wins=(),
        k8s_prefixed_only=None,
        k8s_protected=DEFAULT_PROTECTED,
        k8s_resync=30.0,
        k8s_debounce=0.2,
        k8s_restart_keys=(),
        k8s_restart_503=False,
        k8s_settle=0.0,
        k8s_jitter=0.0,
        k8s_last_good=None,
        k8s_watch_files=False,
    )


def test_the_default_mount_must_be_a_volume(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default counts only where it holds a `..data`, and only where no mount is given."""
    monkeypatch.setattr(reader, "DEFAULT_MOUNT", str(volume.directory))
    assert Options.read({}, {}, reader.default_mounts()).k8s_mounts == ()
    volume.write({})
    assert Options.read({}, {}, reader.default_mounts()).k8s_mounts == (
        Mount(str(volume.directory)),
    )
    assert Options.read({"k8s_mounts": []}, {}, reader.default_mounts()).k8s_mounts == ()


@pytest.mark.parametrize("name", Options._fields)
def test_each_option_has_three_forms(name: str) -> None:
    """Each option is a keyword, in any case, or a variable; of both, the keyword counts."""
    text, keyword, value = GIVEN[name]
    variable = f"{name.upper()}_FOR_DYNACONF"
    assert getattr(Options.read({name: keyword}, {}), name) == value
    assert getattr(Options.read({name.upper(): keyword}, {}), name) == value
    assert getattr(Options.read({variable: keyword}, {}), name) == value
    by_variable = getattr(Options.read({}, {variable: text}), name)
    if name == "k8s_mounts":
        assert by_variable == (Mount("/a"), Mount("/b", secret=True))
    else:
        assert by_variable == value
    default = getattr(Options(), name)
    assert getattr(Options.read({name: default}, {variable: text}), name) == default


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"k8s_mounts": "/config"}, r"k8s_mounts is not a list of mounts; .*\['/config'\]"),
        ({"k8s_mounts": ["config"]}, r"'config' is not absolute; write the volume's mountPath"),
        ({"k8s_mounts": ["/c", "/c/"]}, r"lists /c twice; write each directory once"),
        ({"k8s_mounts": [{"path": "/c", "mirorr": 1}]}, r"no field 'mirorr'; write mirror$"),
        ({"k8s_env_wins": "A"}, r"k8s_env_wins is not a list of strings; write k8s_env_wins=\['A"),
        ({"k8s_protected": [1]}, r"k8s_protected is not a list of strings; write k8s_protected"),
        ({"k8s_restart_keys": None}, r"k8s_restart_keys is not a list of strings; write"),
        ({"k8s_watch": "yes"}, r"k8s_watch is not a boolean; write true or false"),
        ({"k8s_debounce": "1 s"}, r"k8s_debounce is not a number of seconds.*write k8s_debounce="),
        ({"k8s_debounce": True}, r"k8s_debounce is not a number of seconds"),
        ({"k8s_debounce": -1}, r"k8s_debounce is not a number of seconds"),
        ({"k8s_debounce": float("nan")}, r"k8s_debounce is not a number of seconds"),
        ({"k8s_resync": 0}, r"k8s_resync is 0, which would never rest; write k8s_resync=30"),
        ({"k8s_last_good": "kept"}, r"is not an absolute directory; write k8s_last_good="),
        ({"k8s_last_good": True}, r"k8s_last_good is not an absolute directory"),
        ({"k8s_mount": ["/c"]}, r"k8s_mount is not an option .*; write k8s_mounts, or give"),
        ({"K8S_MIRORR": True}, r"K8S_MIRORR is not an option .*; write k8s_mirror, or give"),
        ({"K8S_WATHC_FOR_DYNACONF": True}, r"write k8s_watch, or give"),
    ],
)
def test_a_wrong_keyword_says_what_to_write(keywords: dict[str, Any], message: str) -> None:
    """Each mistake is an error that names the option and says what to write instead."""
    with pytest.raises(ConfigError, match=message):
        Options.read(keywords, {})


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("K8S_MONTS_FOR_DYNACONF", "[]", r"dynaconf-k8s-reload; write K8S_MOUNTS_FOR_DYNACONF$"),
        (
            "K8S_XYZ_FOR_DYNACONF",
            "1",
            r"K8S_XYZ_FOR_DYNACONF is not an option of .*; write one of k8s_mounts, ",
        ),
        ("K8S_MOUNTS_FOR_DYNACONF", "/config", r"not a list of mounts; write k8s_mounts=\['/con"),
        ("K8S_MIRROR_FOR_DYNACONF", "of", r"k8s_mirror is not a boolean; write true or false"),
    ],
)
def test_a_wrong_variable_says_what_to_write(variable: str, text: str, message: str) -> None:
    """So is each mistake in a variable."""
    with pytest.raises(ConfigError, match=message):
        Options.read({}, {variable: text})


def test_letters_that_the_locale_cannot_encode() -> None:
    """A path or prefix with such letters is an error that names it, and says what to set."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    program = (
        "from dynaconf_k8s_reload._model.options import Options\n"
        "for name, value in (('k8s_mounts', ['/\\xfc']), ('k8s_last_good', '/\\xfc'),\n"
        "                    ('k8s_mounts', [{'path': '/c', 'prefix': '\\xdc_'}])):\n"
        "    try:\n"
        "        Options.read({name: value}, {})\n"
        "    except Exception as error:\n"
        "        print(ascii(f'{type(error).__name__}: {error}'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        check=True,
    )
    remedy = "has letters that the locale cannot encode; set PYTHONUTF8=1"
    assert run.stdout.splitlines() == [
        rf"'ConfigError: the mount path /\xfc {remedy}'",
        f"'ConfigError: k8s_last_good {remedy}'",
        f"'ConfigError: the prefix of mount /c {remedy}'",
    ]


def test_a_setting_of_one_s_own() -> None:
    """A user's own setting that starts like an option, and other variables, are no mistake."""
    own = {"k8s_namespace": "x", "K8S_NODE": 1, "MOUNTS": [], 3: "odd"}
    assert Options.read(own, {"K8S_NAMESPACE": "x", "ROOT_PATH_FOR_DYNACONF": "/"}) == Options()


def test_one_directory_by_two_paths(tmp_path: Path) -> None:
    """The same directory by way of a link is the same directory."""
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="twice"):
        Options.read({"k8s_mounts": [str(tmp_path), str(tmp_path / "link")]}, {})


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_a_mount_says_counts(mirrored: bool) -> None:
    """A mount's own word beats the application's; a secret one is never mirrored."""
    chosen = Options(k8s_mirror=mirrored, k8s_prefixed_only=mirrored)
    assert chosen.mirrors(Mount("/c")) is mirrored
    assert chosen.mirrors(Mount("/c", mirror=not mirrored)) is not mirrored
    assert chosen.mirrors(Mount("/c", mirror=True, secret=True)) is False
    assert chosen.prefixed_only(Mount("/c")) is mirrored
    assert chosen.prefixed_only(Mount("/c", prefixed_only=not mirrored)) is not mirrored


# through dynaconf


def test_variables_reach_an_application(
    volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With variables alone an application follows a mount, without a change of its code."""
    from dynaconf import Dynaconf

    volume.write({"MYAPP_KEY": "1"})
    monkeypatch.setenv("LOADERS_FOR_DYNACONF", f'["{LOADERS[0]}"]')
    monkeypatch.setenv("K8S_MOUNTS_FOR_DYNACONF", f'["{volume.directory}"]')
    monkeypatch.setenv("K8S_WATCH_FOR_DYNACONF", "false")
    assert Dynaconf(envvar_prefix="MYAPP").KEY == 1
    assert os.environ["MYAPP_KEY"] == "1"


def test_env_loader_beside_a_mirroring_mount(volume: AtomicWriter) -> None:
    """`env_loader` beside a mirroring mount is an error that says what to write instead."""
    volume.write({"MYAPP_KEY": "1"})
    before = dict(os.environ)
    loaders = ["dynaconf.loaders.env_loader", *LOADERS]
    settings = make_settings(volume.directory, loaders=loaders)
    with pytest.raises(ConfigError, match=r"take it out of the list.*or say k8s_mirror=False"):
        _ = settings.KEY
    assert dict(os.environ) == before
    mirroring = {"path": str(volume.directory), "mirror": True}
    with pytest.raises(ConfigError, match="take it out of the list"):
        _ = make_settings(mirroring, loaders=loaders, k8s_mirror=False).KEY


def test_env_loader_without_a_mirror(volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mirror `env_loader` is allowed, in either place, and the environment wins."""
    monkeypatch.setenv("MYAPP_KEY", "7")
    volume.write({"MYAPP_KEY": "1", "MYAPP_OTHER": "2"})
    for loaders in (
        ["dynaconf.loaders.env_loader", *LOADERS],
        [*LOADERS, "dynaconf.loaders.env_loader"],
    ):
        settings = make_settings(
            volume.directory, loaders=loaders, k8s_mirror=False, k8s_watch=False
        )
        assert (settings.KEY, settings.OTHER) == (7, 2)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"k8s_mounts": ["relative"]}, "not absolute"),
        ({"k8s_env_wins": "A"}, "not a list of strings"),
        ({"k8s_resynk": 3}, "write k8s_resync"),
    ],
)
def test_a_mistake_fails_the_first_load(chosen: dict[str, Any], message: str) -> None:
    """A mistake is raised by the first read of a setting."""
    from dynaconf import Dynaconf

    with pytest.raises(ConfigError, match=message):
        _ = Dynaconf(loaders=LOADERS, **chosen).KEY
