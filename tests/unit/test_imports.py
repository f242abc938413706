"""What importing the package brings into a process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import dynaconf_k8s_reload
from dynaconf_k8s_reload.testing import AtomicWriter

ROOMS = sorted(Path(dynaconf_k8s_reload.__file__).parent.rglob("__init__.py"))

PROGRAM = """
import json, sys
import dynaconf
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
OTHERS = {
    *("flask", "django", "click", "rich", "yaml", "pytest", "hypothesis", "blinker", "jinja2"),
    *("prometheus_client", "kubernetes", "asyncio", "difflib"),
}
ASKED_FOR = {f"dynaconf_k8s_reload.{name}" for name in ("_reload.explaining", "_reload.stream")}


@pytest.mark.parametrize(
    "module", ["dynaconf_k8s_reload", "dynaconf_k8s_reload.loader", "dynaconf_k8s_reload.testing"]
)
def test_importing_is_frugal(module: str) -> None:
    """Beyond what dynaconf itself imports, no framework and no tool is, nor what few ask for."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = json.loads(run.stdout)
    brought = {name.partition(".")[0] for name in modules}
    assert "dynaconf_k8s_reload" in brought
    assert not brought & OTHERS
    assert not ASKED_FOR.intersection(modules)


def test_the_package_itself_imports_nothing() -> None:
    """A public name is imported at its first use, all of them by a star; others do not exist."""
    program = """
import sys
import dynaconf_k8s_reload as package
assert not {"dynaconf", "watchdog"} & set(sys.modules)
assert set(package.__all__) <= set(dir(package))
from dynaconf_k8s_reload import *
assert all(globals()[name] is getattr(package, name) for name in package.__all__)
try:
    package.settings
except AttributeError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "module 'dynaconf_k8s_reload' has no attribute 'settings'\n"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.parent.name)
def test_no_name_of_a_face_is_that_of_a_module_beside_it(room: Path) -> None:
    """Importing the module would put it in the place of the name, where imports are lazy."""
    tree = ast.parse(room.read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {alias.asname or alias.name for node in imported for alias in node.names if node.module}
    names |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert not names & {path.stem for path in room.parent.iterdir()}


@pytest.mark.skipif(sys.version_info < (3, 15), reason="the option came with Python 3.15")
def test_it_works_where_every_import_is_lazy(volume: AtomicWriter) -> None:
    """With ``-X lazy_imports=all`` settings are loaded, and reloaded, as ever."""
    volume.write({"MYAPP_A": "1"})
    program = """
import sys
from dynaconf import Dynaconf
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
settings = Dynaconf(envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[sys.argv[1]], k8s_watch=False)
print(settings.A)
AtomicWriter(sys.argv[1]).write({"MYAPP_A": "2"})
print(get_reloader(settings).reload().outcome, settings.A)
"""
    command = [sys.executable, "-W", "ignore", "-X", "lazy_imports=all", "-c", program]
    run = subprocess.run(
        [*command, str(volume.directory)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.stdout, run.stderr) == ("1\napplied 2\n", "")
