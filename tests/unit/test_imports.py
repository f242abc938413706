"""What importing the package brings into a process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import dynaconf
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
OTHERS = {
    *("flask", "django", "click", "rich", "yaml", "pytest", "hypothesis", "blinker", "jinja2"),
    *("prometheus_client", "kubernetes"),
}


@pytest.mark.parametrize(
    "module", ["dynaconf_k8s_reload", "dynaconf_k8s_reload.loader", "dynaconf_k8s_reload.testing"]
)
def test_importing_is_frugal(module: str) -> None:
    """Beyond what dynaconf itself imports, no framework and no tool is."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    brought = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert "dynaconf_k8s_reload" in brought
    assert not brought & OTHERS


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
