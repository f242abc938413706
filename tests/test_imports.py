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
OTHERS = {"flask", "django", "click", "rich", "yaml", "pytest", "hypothesis", "blinker", "jinja2"}


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
