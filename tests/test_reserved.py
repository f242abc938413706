"""Names that a mount must not provide."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._model.reserved import is_reserved
from support import make_settings

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
