"""examples/pipeline: the workflow's steps, with content that is taken and with some that is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parents[2] / "examples" / "pipeline"
STEPS = yaml.safe_load((HERE / "workflow.yaml").read_text())["jobs"]["check"]["steps"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What ``actions/checkout`` would leave."""
    return Path(shutil.copytree(HERE, tmp_path / "checkout"))


def steps(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run the steps as GitHub does; what they install is what is tested."""
    commands = [
        step["run"] for step in STEPS if "pip install" not in step.get("run", "pip install")
    ]
    assert len(commands) == 1
    bin_directory = os.path.dirname(sys.executable)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)],
        cwd=checkout,
        env={
            **os.environ,
            "PATH": f"{bin_directory}:{os.environ['PATH']}",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(checkout),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_workflow_takes_the_manifest(checkout: Path) -> None:
    """The manifest as it is passes, with the output that the page shows."""
    done = steps(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stdout in (HERE / "README.md").read_text()


def test_the_workflow_stops_a_bad_one(checkout: Path) -> None:
    """Content that the application refuses fails the job, at its line of the manifest."""
    manifest = checkout / "configmap.yaml"
    manifest.write_text(manifest.read_text().replace('"5"', '"500"'))
    done = steps(checkout)
    assert done.returncode == 1
    assert "file=configmap.yaml,line=7::POOL_SIZE (SHOP_POOL_SIZE) of /config" in done.stdout
