"""What is installed. The tests run against the built wheel, and here is the check that they do."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from importlib.metadata import files
from pathlib import Path

import pytest

import dynaconf_k8s_reload

pytestmark = pytest.mark.skipif(
    "TOX_ENV_NAME" not in os.environ, reason="outside tox the checkout may be installed as it is"
)
INSTALLED = Path(sysconfig.get_path("purelib"), "dynaconf_k8s_reload", "__init__.py")


def test_wheel_is_tested() -> None:
    """The package under test is the installed one."""
    assert Path(dynaconf_k8s_reload.__file__) == INSTALLED


def test_wheel_is_tested_in_processes() -> None:
    """So it is in a process that a test starts, which looks into the working directory first."""
    program = "import dynaconf_k8s_reload; print(dynaconf_k8s_reload.__file__)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert Path(run.stdout.strip()) == INSTALLED


def test_wheel_holds_the_package_only() -> None:
    """The wheel brings the package, its marker for type checkers and its commands, nothing else."""
    paths = [path.as_posix() for path in files("dynaconf-k8s-reload") or ()]
    assert "dynaconf_k8s_reload/py.typed" in paths
    commands = sorted(path.rpartition("/")[2] for path in paths if "/bin/" in path)
    assert commands == ["dynaconf-k8s-reload", "kubectl-config_rollout"]
    brought = [path for path in paths if "/bin/" not in path]
    assert {path.partition("/")[0].partition("-")[0] for path in brought} == {"dynaconf_k8s_reload"}
