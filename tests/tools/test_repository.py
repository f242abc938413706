"""What stands around the code: workflows, templates and hooks run what tox runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from docs_site import ROOT

PUBLISH = ROOT / ".github/workflows/publish.yml"
RELEASE = ROOT / ".ci/release.txt"
WORKFLOWS = sorted({*(ROOT / ".github/workflows").glob("*.yml")} - {PUBLISH})
MAKES = r"(?:-m venv |mkdir |> |apply .*(?=\./))([^\s;]+)"
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def _parsed(text: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.load(text, Loader=yaml.BaseLoader)  # which leaves the key `on` a string


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_runs_the_tests_with_no_right_but_to_read(path: Any) -> None:
    """Each workflow calls ./test.sh, ends in bounded time, and uses actions by commit."""
    workflow = _parsed(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] == "true"
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    assert int(job["timeout-minutes"]) <= 300
    (command,) = (step["run"] for step in job["steps"] if "run" in step)
    assert command.split()[0] == "./test.sh"
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", each) for each in used)


def test_only_what_a_person_releases_is_published() -> None:
    """What is built cannot publish; what publishes runs nothing of ours, and has no password.

    What builds is pinned by hash, the package's own build requirements included.
    """
    workflow = _parsed(PUBLISH.read_text())
    assert workflow["on"] == {"release": {"types": ["published"]}}
    assert workflow["permissions"] == {"contents": "read"}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert "permissions" not in build
    install, built, _ = (step["run"] for step in build["steps"] if "run" in step)
    assert install.endswith(" --require-hashes --requirement .ci/release.txt")
    assert built == "python -m build --no-isolation"
    pinned = re.findall(r"^([\w-]+)==.+ \\$", RELEASE.read_text(), re.MULTILINE)
    required = re.search(
        r"^requires = \[(.+)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert required
    assert {"build", *re.findall(r'"([\w-]+)', required[1])} <= set(pinned)
    assert (publish["needs"], publish["permissions"]) == ("build", {"id-token": "write"})
    assert publish["environment"]
    assert not any("run" in step or "password" in str(step) for step in publish["steps"])
    used = [step["uses"] for job in (build, publish) for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"(actions|pypa)/[\w-]+@[0-9a-f]{40}", each) for each in used)


def test_each_push_is_tested_on_each_python() -> None:
    """Pushes and pull requests are tested on the Pythons that test.sh looks for."""
    workflow = _parsed((ROOT / ".github/workflows/tests.yml").read_text())
    assert {"push", "pull_request"} <= workflow["on"].keys()
    (versions,) = (
        step["with"]["python-version"].split()
        for step in workflow["jobs"]["everything"]["steps"]
        if "python-version" in step.get("with", {})
    )
    looked_for = re.search(
        r"^for version in (.+); do$", (ROOT / "test.sh").read_text(), re.MULTILINE
    )
    assert looked_for
    assert versions == looked_for[1].split()


def test_long_runs_are_nightly() -> None:
    """The nightly workflow asks for the long runs, on both lines of dynaconf, and no other does."""
    (nightly,) = (path for path in WORKFLOWS if "NIGHTLY" in path.read_text())
    workflow = _parsed(nightly.read_text())
    assert workflow["on"]["schedule"]
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1]["env"] == {"NIGHTLY": "1"}
    assert [run["environments"] for run in job["strategy"]["matrix"]["include"]] == [
        "py313,heavy",
        "py310-lowest",
    ]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_form_is_complete(path: Any) -> None:
    """Each field of a form has a label and a name of its own."""
    form = _parsed(path.read_text())
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


def test_bug_report_asks_for_what_contributing_names() -> None:
    """Versions, the smallest ConfigMap and the doctor's findings, but no secrets."""
    text = (ROOT / ".github/ISSUE_TEMPLATE/bug_report.yml").read_text()
    asked = {field.get("id") for field in _parsed(text)["body"]}
    assert {"python", "dynaconf", "watchdog", "kubernetes", "configmap", "doctor"} <= asked
    assert "Leave out values that are secret" in text


def test_hooks_run_what_tox_runs() -> None:
    """The hooks are local, and are the commands of tox's lint and typing."""
    (repository,) = _parsed((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert {hook["pass_filenames"] for hook in repository["hooks"]} == {"false"}
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    commands = [
        line
        for name in ("lint", "typing")
        for line in tox[f"testenv:{name}"]["commands"].strip().splitlines()
    ]
    assert [hook["entry"] for hook in repository["hooks"]] == commands


def test_what_an_example_leaves_is_ignored(tmp_path: Path) -> None:
    """Nothing that the lines of an example's README make in a checkout is listed as untracked."""
    git = shutil.which("git") or pytest.skip("git is not installed")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    made = [
        f"examples/{readme.parent.name}/{name}"
        for readme in sorted((ROOT / "examples").glob("*/README.md"))
        for line in re.findall(r"^\$ .+$", readme.read_text(), re.MULTILINE)
        for name in re.findall(MAKES, line)
    ]
    assert made
    subprocess.run([git, "init", "--quiet", tmp_path], check=True)
    run = subprocess.run(
        [git, "-C", tmp_path, "check-ignore", *made], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == made


def test_a_python_that_cannot_be_had_is_said_in_a_line(tmp_path: Path) -> None:
    """Where there is no apt, the script ends with its reason, and prints no path."""
    places = tmp_path / "bin"
    places.mkdir()
    (places / "mkdir").symlink_to(shutil.which("mkdir") or "")
    run = subprocess.run(
        [shutil.which("bash") or "", ROOT / ".ci/debian-python", tmp_path / "pythons", "3.15"],
        env={"PATH": str(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "Python 3.15 of Debian: this machine has no apt\n"


def test_the_changelog_is_cut_for_the_version() -> None:
    """Above the version of the package, whose date whoever releases sets, only what comes next."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert re.fullmatch(
        rf"\[{re.escape(version[1])}\] - (YYYY-MM-DD|\d{{4}}-\d\d-\d\d)", headings[1]
    )
