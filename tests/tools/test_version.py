"""The package tells its version."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import dynaconf_k8s_reload


def test_version_is_that_of_the_distribution() -> None:
    """`__version__` is what pip shows, and is public."""
    assert dynaconf_k8s_reload.__version__ == version("dynaconf-k8s-reload")
    assert "__version__" in dynaconf_k8s_reload.__all__


def test_version_is_looked_up_at_its_first_use() -> None:
    """Importing the package reads no metadata; asking for the version does."""
    program = """
import sys
sys.modules.pop("importlib.metadata", None)  # coverage may have imported it before
import dynaconf_k8s_reload as package
assert "importlib.metadata" not in sys.modules
assert package.__version__
assert "importlib.metadata" in sys.modules
assert not {"dynaconf", "watchdog"} & set(sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
