"""Nothing shows a content: no object of ours, no frame of an error, no viewer of either."""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dynaconf_k8s_reload import Mount, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

PROGRAM = Path(__file__).parents[1] / "helpers" / "programs" / "leaks.py"
MARKER = "zQ7marker"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the tests' helpers and programs."""
    paths = os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parents[1]), *sys.path])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        # Not measured: with a tracer, Python 3.13.0 crashes where it shows a frame's variables.
        env={**{n: t for n, t in os.environ.items() if "COV" not in n}, "PYTHONPATH": paths},
    )


@pytest.mark.parametrize(
    ("viewer", "needs"),
    [("frames", "traceback"), ("rich", "rich"), ("django", "django"), ("sentry", "sentry_sdk")],
)
def test_no_viewer_of_errors_shows_a_content(viewer: str, needs: str) -> None:
    """Each failure, of a first load and of an update, is shown with its frames, and logged."""
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    done = run(str(PROGRAM), viewer)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count("-- ") >= 34
    assert [line for line in said.splitlines() if MARKER in line] == []


WARNED_OF = """
import sys
from dynaconf import Dynaconf
from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter

writer = AtomicWriter(sys.argv[1])
writer.write({"MYAPP_OLD": "@reset zQ7marker", "MYAPP_BAD": "@jinja {{ ''.__class__ }} zQ7marker"})
settings = Dynaconf(
    envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[sys.argv[1]]
)
print(len(settings.OLD), len(settings.get("BAD", "")) < 99)
writer.write({**writer.payload, "MYAPP_OLD": "@reset zQ7marker\\nzQ7marker"})
print(get_reloader(settings).reload().outcome in ("applied", "unchanged"), len(settings.OLD))
"""


def test_no_warning_of_dynaconf_shows_a_content(tmp_path: Path) -> None:
    """Two of its warnings are made of a value; no load and no reload says them."""
    done = run("-W", "always", "-c", WARNED_OF, str(tmp_path / "config"))
    assert (done.returncode, done.stdout) == (0, "9 True\nTrue 19\n"), done.stderr
    assert MARKER not in done.stderr


A_TEST = """
import pytest
from leaks import POINTS, failures

@pytest.mark.parametrize("point", POINTS)
def test_failure(point):
    made = failures(point)  # kept: a dead one's frame crashes viewers (CPython issue 125723)
    raise next(made)
"""


def test_pytest_shows_no_content(tmp_path: Path) -> None:
    """A failed test of an application, shown with the local variables of each frame."""
    (tmp_path / "test_application.py").write_text(A_TEST)
    done = run("-m", "pytest", "-l", "-p", "no:cacheprovider", str(tmp_path))
    assert "20 failed" in done.stdout, done.stdout
    assert [line for line in done.stdout.splitlines() if MARKER in line] == []


def ours() -> Iterator[Any]:
    """Every object of this package that the garbage collector knows, classes left out."""
    for each in gc.get_objects():
        kind = type(each)
        if str(kind.__module__).startswith("dynaconf_k8s_reload") and not issubclass(kind, type):
            yield each


def shown(value: Any, depth: int = 4) -> Iterator[str]:
    """What a viewer shows of an object: it takes tuples apart, and asks others for their repr."""
    if depth and isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from shown(item, depth - 1)
    yield repr(value)


def test_no_object_shows_a_content(tmp_path: Path) -> None:
    """Whatever becomes of a content, each object that holds it shows names and counts only."""
    others = list(ours())  # of other tests, kept so that nothing new takes an identity of theirs
    known = set(map(id, others))
    secret, config = AtomicWriter(tmp_path / "secret"), AtomicWriter(tmp_path / "config")
    secret.write({"PASSWORD": MARKER, "TOKEN": f"@format {MARKER}", "SECRET__deep": MARKER})
    texts = {
        "MYAPP_TEXT": MARKER,
        "MYAPP_KEYS": f'@json {{"{MARKER}": {{"{MARKER}": "{MARKER}"}}}}',
        "MYAPP_LAZY": f"@format {MARKER} {{this.TEXT}}",
        "MYAPP_MERGED": f"@merge {MARKER},{MARKER}",
        "MYAPP_DB__PASSWORD": MARKER,
        "LOG-LEVEL": MARKER,
        "HOSTNAME": MARKER,
        "app.toml": f'FROM_FILE = "{MARKER}"\n',
    }
    config.write(texts)
    settings = make_settings(
        Mount(str(secret.directory), secret=True),
        config.directory,
        k8s_watch=False,
        k8s_env_wins=["WINS"],
        settings_files=[str(config.directory / "app.toml")],
    )
    reloader = get_reloader(settings)
    told: list[Any] = []
    reloader.on_change()(told.append)
    child = settings.from_env("other")
    assert (settings.PASSWORD, child.TEXT) == (MARKER, MARKER)
    settings.set("BY_CODE", MARKER)
    settings.update({"UPDATED": MARKER}, loader_identifier="code")
    settings.populate_obj(exported := SimpleNamespace())
    before = reloader.snapshot()
    config.write({**texts, "MYAPP_TEXT": f"{MARKER}2", "MYAPP_DB__PASSWORD": f"{MARKER}2"})
    kept = [reloader.reload()]
    config.write({**texts, "MYAPP_TEXT": f"@int {MARKER}"})
    kept.append(reloader.reload())
    assert (MARKER, f"{MARKER}2", MARKER) == (before.TEXT, exported.TEXT, settings.BY_CODE)
    made = [each for each in ours() if id(each) not in known]
    assert {"Variable", "Snapshot", "Record", "Decision"} <= {type(each).__name__ for each in made}
    leaks = {type(each).__qualname__ for each in made if any(MARKER in s for s in shown(each))}
    assert leaks == set()
