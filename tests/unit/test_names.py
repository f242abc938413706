"""Names that a mount must not provide."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynaconf_k8s_reload import _dynaconf, get_reloader
from dynaconf_k8s_reload._environ.rules import NotMirrored
from dynaconf_k8s_reload._model.names import Names
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

is_reserved = Names("MYAPP").is_reserved

RESERVED = [
    "DYNACONF_INCLUDE",
    "SETTINGS_MODULE",
    "ROOT_PATH_FOR_DYNACONF",
    "ANYTHING_AT_ALL_FOR_DYNACONF",
    "_registered_hooks",
    "YAML",
    "LOAD_DOTENV",
    *Options._fields,
]


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("nested", ["", "__0", "__X__Y", ".x", "[0]"])
def test_reserved(name: str, nested: str) -> None:
    """What would reconfigure dynaconf or this package is reserved, and any part of it."""
    assert is_reserved(name + nested)
    assert is_reserved(name.lower() + nested)


@given(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,12}\Z"))
@example("K8S_NAMESPACE")
@example("INCLUDE")
@example("DB__YAML")
@example("YAML_FILE")
@example("FOR_DYNACONF_NOT")
def test_not_reserved(name: str) -> None:
    """An application's own names are its own."""
    assert not is_reserved(f"OWN_{name}")
    assert is_reserved(f"{name}_FOR_DYNACONF")


@pytest.mark.parametrize("name", ["K8S_NAMESPACE", "INCLUDE", "DB__YAML", "YAML_FILE", "__YAML"])
def test_names_that_only_look_alike(name: str) -> None:
    """A name that shares a part with a reserved one is not reserved."""
    assert not is_reserved(name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MYAPP_INCLUDES_FOR_DYNACONF_N_dynaconf_merge", {"nested_separator": "_N_"}),
        ("MYAPP_DYNACONF_INCLUDE_N_dynaconf_merge", {"nested_separator": "_N_"}),
        ("MYAPP_DYNACONF_INCLUDE_I_0", {"index_separator": "_I_"}),
        ("MYAPP_DYNACONF INCLUDE", {}),
        ("MYAPP_DYNACONF_INCLUDE ", {}),
    ],
)
def test_no_separator_and_no_space_lets_a_mount_run_python(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    """However a name comes to mean dynaconf's list of files, those files are not loaded."""
    (tmp_path / "included.py").write_text("INCLUDED = True\n")
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount / name).write_text(f'["{tmp_path}/included.py"]')
    settings = make_settings(mount, k8s_watch=False, **options)
    assert settings.get("INCLUDED") is None


@pytest.mark.parametrize(
    ("prefix", "name", "keys"),
    [
        ("MYAPP", "MYAPP_A", ["A"]),
        ("MYAPP", "DYNACONF_A", ["A"]),
        ("MYAPP", "A", ["A"]),
        ("MYAPP,MYAPP_A", "MYAPP_A_B", ["A_B", "B"]),
        ("DYNACONF", "DYNACONF_A", ["A"]),
        (False, "DYNACONF_A", ["A", "DYNACONF_A"]),
        (None, "DYNACONF_A", ["DYNACONF_A"]),
    ],
)
def test_the_keys_of_a_name(prefix: object, name: str, keys: list[str]) -> None:
    """A name loses each prefix that it carries, and sets what is left."""
    assert Names(prefix).keys(name) == keys


def test_without_a_prefix_only_where_that_counts() -> None:
    """A name without a prefix sets nothing where only prefixed names do."""
    names = Names("MYAPP")
    assert names.keys("A", prefixed_only=True) == []
    assert names.keys("MYAPP_A", prefixed_only=True) == ["A"]
    assert names.own == ("MYAPP_",)


NAMES = st.from_regex(r"\A(MYAPP_|DYNACONF_|OTHER_)?[A-C]((__|___|_N_|\.)[A-C0-1]){0,2}\Z")


@given(st.sets(NAMES, min_size=1, max_size=4), st.sampled_from(["__", "___", "_N_", ""]))
@settings(max_examples=60)
def test_names_and_loader_agree(names: set[str], separator: str) -> None:
    """The top-level settings that the rule tells are those that the loader makes."""
    with TemporaryDirectory() as directory:
        for name in names:
            (Path(directory) / name).write_text("text")
        loaded = make_settings(
            directory, k8s_watch=False, k8s_mirror=False, nested_separator=separator
        )
        rule = _dynaconf.names(_dynaconf.unwrap(loaded))
        told = {rule.top(key) for name in names for key in rule.keys(name)}
        assert {key for key in loaded.as_dict() if key != "K8S_MOUNTS"} - OPTIONS == told


OPTIONS = {"K8S_WATCH", "K8S_MIRROR", "K8S_PREFIXED_ONLY"}


def test_what_only_the_application_s_separator_reserves_is_not_mirrored(
    volume: AtomicWriter,
) -> None:
    """The mirror skips a name that is reserved by a custom separator, as the loader does."""
    volume.write({"MYAPP_INCLUDES_FOR_DYNACONF_N_dynaconf_merge": "['x.py']"})
    loaded = make_settings(volume.directory, k8s_watch=False, nested_separator="_N_")
    (why,) = get_reloader(loaded).status().skipped.values()
    assert why == NotMirrored.RESERVED.value
