"""``doctor`` and ``check`` name the culprit of every refusal first, and show no value."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from command import run
from dynaconf_k8s_reload.cli.check.rehearsal import examine
from dynaconf_k8s_reload.cli.check.volumes import Places, Volume
from dynaconf_k8s_reload.testing import AtomicWriter
from refusals import MARKER, WAYS, Way, content

REFUSED = ("content-refused", "settings-not-loaded")
MODULE = "refused_application"
APPLICATION = """
import os
from pathlib import Path
from dynaconf_k8s_reload.testing import AtomicWriter
from refusals import WAYS, make
way = WAYS[os.environ["WAY"]]
settings = make(AtomicWriter(Path("config").absolute()), way)
settings.get("K00")
"""


def here(request: dict[str, Any], scratch: str) -> Any:
    """Rehearse in this process, in place of one of its own for each of them."""
    volumes = [Volume(**each) for each in request["volumes"]]
    return json.loads(json.dumps(examine(request["name"], Places(volumes, scratch))))


@pytest.fixture
def application(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """An application in the working directory whose mount holds what is refused."""
    monkeypatch.chdir(request.getfixturevalue("tmp_path"))
    monkeypatch.setenv("WAY", request.param)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(import_module("dynaconf_k8s_reload.cli.check.command"), "_rehearse", here)
    Path(f"{MODULE}.py").write_text(APPLICATION)
    AtomicWriter("config").write(content(WAYS[request.param], bad=True))
    yield WAYS[request.param]
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize("command", ["doctor", "check"])
@pytest.mark.parametrize(
    "application", [name for name, way in WAYS.items() if way.check is None], indirect=True
)
def test_the_culprit_comes_first(application: Way, command: str) -> None:
    """The finding begins with it, and tells none of the other 50 keys."""
    done = run(command, "--settings", f"{MODULE}:settings", "--json")
    assert done.status == 1, done
    (refused,) = [each for each in json.loads(done.out)["findings"] if each["name"] in REFUSED]
    culprit = application.culprit.removesuffix(" rejects ")
    assert refused["detail"].lower().startswith(culprit.lower())
    assert application.reason in refused["detail"]
    assert tuple(refused["keys"]) == application.keys
    assert "MYAPP_K" not in done.out
    assert MARKER not in done.out + done.err


@pytest.mark.parametrize("application", ["a check"], indirect=True)
def test_a_check_runs_in_a_reload_only(application: Way) -> None:
    """A start with the content works; `check` reloads it, and names the check."""
    done = run("check", "--settings", f"{MODULE}:settings", "--json")
    assert done.status == 1, done
    (refused,) = json.loads(done.out)["findings"]
    assert refused["name"] == "refused-by-reload"
    assert refused["detail"].startswith(application.culprit)
    assert MARKER not in done.out + done.err
