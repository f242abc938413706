"""The fixtures that dynaconf's tests ask for, and our loader beneath them: a pytest plugin.

The variable ``PARITY`` names the way, and ``PARITY_RESULTS`` the file for what became of each test:

- ``plain``: dynaconf alone.
- ``default``: our loader stands wherever dynaconf's ``env_loader`` would: as the default, in a
  list of loaders that a test gives, and where a test calls ``env_loader.load``.
- ``mounted``: our loader stands in the lists, and each settings object is made on a mount of its
  own that holds the variables which the process has at that moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dynaconf import LazySettings, default_settings
from dynaconf.base import Settings
from dynaconf.loaders import env_loader

from dynaconf_k8s_reload import ConfigError, get_reloader, loader
from dynaconf_k8s_reload.testing import AtomicWriter

WAY, RESULTS = os.environ.pop("PARITY"), os.environ.pop("PARITY_RESULTS")
OURS, THEIRS = "dynaconf_k8s_reload.loader", "dynaconf.loaders.env_loader"
MOUNTS = "K8S_MOUNTS_FOR_DYNACONF"
OPTIONS = {
    MOUNTS: "[]",
    "K8S_WATCH_FOR_DYNACONF": "false",
    "K8S_PREFIXED_ONLY_FOR_DYNACONF": "true",
}
TESTS = os.path.abspath("tests")
VOLUMES = tempfile.mkdtemp(prefix="parity-")
MADE: Counter[str] = Counter()
OUTCOMES: dict[str, str] = {}

# Of the fixture `settings`.
VARIABLES = {
    "HOSTNAME": "host.com",
    "PORT": "@int 5000",
    "VALUE": "@float 42.1",
    "ALIST": '@json ["item1", "item2", "item3"]',
    "ADICT": '@json {"key": "value"}',
    "DEBUG": "@bool true",
    "TODELETE": "@bool true",
}
BOXED_DATA = {
    "HOST": "server.com",
    "port": 8080,
    "PARAMS": {"username": "admin", "PASSWORD": "secret", "token": {"TYPE": 1, "value": 2}},
}


def _construct_with_ours(
    settings: Any, *args: Any, construct: Callable[..., None] = Settings.__init__, **keywords: Any
) -> None:
    default_settings.LOADERS_FOR_DYNACONF = [OURS]  # each time, since dynaconf may read it anew
    for name in keywords.keys() & {"LOADERS_FOR_DYNACONF", "loaders"}:
        if isinstance(keywords[name], list):
            keywords[name] = [OURS if each == THEIRS else each for each in keywords[name]]
    if WAY == "mounted" and MOUNTS in os.environ:
        volume = AtomicWriter(tempfile.mkdtemp(dir=VOLUMES))
        volume.write({name: text for name, text in os.environ.items() if name not in OPTIONS})
        os.environ[MOUNTS] = f'["{volume.directory}"]'
    construct(settings, *args, **keywords)
    MADE["all"] += 1
    with contextlib.suppress(ConfigError):
        get_reloader(settings)
        MADE["ours"] += 1


if WAY != "plain":  # at once: some tests make their settings while they are imported
    os.environ.update(OPTIONS)
    Settings.__init__ = _construct_with_ours
if WAY == "default":
    env_loader.load = loader.load


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Count a file that cannot be imported as a test that fails."""
    if report.failed:
        OUTCOMES[report.nodeid] = "failed"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what becomes of a test: the worst of its three phases."""
    if report.when == "setup" or report.outcome != "passed":
        OUTCOMES[report.nodeid] = report.outcome


def pytest_unconfigure() -> None:
    """Write down what became of the tests, and for how many settings our loader was at work."""
    Path(RESULTS).write_text(json.dumps({"outcomes": OUTCOMES, "made": MADE}))
    shutil.rmtree(VOLUMES)


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmpdir: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test where it writes; modules found there are imported."""
    tmpdir.join(".env").write("DYNACONF_TESTING=true\n")
    with monkeypatch.context() as patch:
        patch.chdir(tmpdir)
        patch.syspath_prepend(tmpdir)
        yield


@pytest.fixture(scope="module")
def testdir() -> str:
    """The directory of the tests."""
    return TESTS


@pytest.fixture(scope="module")
def settings() -> Any:
    """Settings with the prefix DYNATEST, made of variables, a keyword and an assignment."""
    os.environ.update({f"DYNATEST_{name}": text for name, text in VARIABLES.items()})
    made = LazySettings(
        LOADERS_FOR_DYNACONF=[THEIRS],
        ENVVAR_PREFIX_FOR_DYNACONF="DYNATEST",
        ROOT_PATH_FOR_DYNACONF=TESTS,
        environments=True,
        boxed_data=BOXED_DATA,
    )
    made.SIMPLE_BOOL = False
    made.configure()
    return made


@pytest.fixture(scope="module")
def clean_env() -> Iterator[None]:
    """Nothing that an earlier test has put into the environment, up to the end of the module."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("DYNACONF_", "FLASK_", "DJANGO_")):
            del os.environ[name]
    yield
    os.environ.update(before)


@pytest.fixture
def no_deprecations() -> Iterator[None]:
    """What dynaconf has deprecated and still uses is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=DeprecationWarning, module="dynaconf")
        yield


@pytest.fixture
def create_file(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file that a test gives indented, and give its path."""

    def create(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return create
