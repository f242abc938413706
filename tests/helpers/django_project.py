"""Start the Django project of ``projects/django`` in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from applications import Application

PROJECT = Path(__file__).parent / "projects" / "django"


def environment(*mounts: object, apps: list[str] | None = None, **options: Any) -> dict[str, str]:
    """Make the environment of a process of the project."""
    return {
        **os.environ,
        "MOUNTS": json.dumps([str(mount) for mount in mounts]),
        "OPTIONS": json.dumps(options),
        "APPS": json.dumps(apps or []),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
    }


def manage(
    *arguments: str, variables: dict[str, str], expect: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` to its end."""
    run = subprocess.run(
        [sys.executable, PROJECT / "manage.py", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == expect, run.stdout + run.stderr
    return run


def assert_alike(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> None:
    """Fail unless two processes show the same settings everywhere; name those that differ."""
    for here, there in zip(one, other, strict=True):
        names = {name for name in {*here, *there} if here.get(name) != there.get(name)}
        assert {name: (here.get(name), there.get(name)) for name in names} == {}


class Project(Application):
    """The project, which evaluates what it is asked; see ``projects/django/evaluate.py``."""

    def __init__(
        self, *mounts: Path | str, first: str = "", apps: list[str] | None = None, **options: Any
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, PROJECT / "evaluate.py", first],
            env=environment(*mounts, apps=apps, **options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self("True")  # the mounts have been read

    def __enter__(self) -> Project:
        return self

    def do(self, statements: str) -> None:
        """Execute statements there."""
        self("do " + json.dumps(statements))

    def ask(self, path: str, **arguments: str) -> tuple[int, str, list[str]]:
        """Send one request; give status, body and the names of the cookies."""
        listed = "".join(f", {name}={value!r}" for name, value in arguments.items())
        status, body, cookies = self(f"ask({path!r}{listed})")
        return status, body, cookies
