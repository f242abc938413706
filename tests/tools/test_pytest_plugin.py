"""The pytest plugin, in pytest runs of its own: in this process and in others."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import dynaconf_k8s_reload

pytest_plugins = ["pytester"]

PLUGIN = "dynaconf_k8s_reload.pytest_plugin"
INSTALLED = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

# hypothesis' own plugin imports all of hypothesis at the end of each run, which takes seconds.
ARGUMENTS = ["-W", "error", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
if not INSTALLED:
    ARGUMENTS += ["-p", PLUGIN]

Run = Callable[..., pytest.RunResult]


@pytest.fixture(params=["here", "in a process"])
def run(
    request: pytest.FixtureRequest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a test file with the plugin, any warning being an error."""
    monkeypatch.setenv("PYTHONPATH", str(Path(dynaconf_k8s_reload.__file__).parents[1]))

    def run(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        given = [*ARGUMENTS, "--strict-markers", *arguments]
        if request.param == "here":
            return pytester.runpytest_inprocess(*given)
        return pytester.runpytest_subprocess(*given, timeout=60)

    return run


here = pytest.mark.parametrize("run", ["here"], indirect=True)


@pytest.mark.parametrize("example", EXAMPLES, ids=re.findall(r"def (test_\w+)", PAGE))
@here
def test_shown_code_runs(run: Run, example: str) -> None:
    """Each example of the page is a whole test file that passes as it stands."""
    if "from flask " in example:
        pytest.importorskip("flask", reason="Flask is not installed")
    tests = 2 if "configmap_order(" in example else 1
    run(example).assert_outcomes(passed=tests)


def test_the_first_example_runs_anywhere(run: Run) -> None:
    """The first of them, ten lines, passes in a process of its own too."""
    code = [line for line in EXAMPLES[0].splitlines() if line]
    assert len(code) == 10 - 1
    run(EXAMPLES[0]).assert_outcomes(passed=1)


def test_several_settings(run: Run) -> None:
    """The factory may be called several times, and each of its settings follows."""
    run(
        """
        from dynaconf_k8s_reload import get_reloader

        def test_it(configmap_volume, k8s_settings, wait_for_generation):
            configmap_volume.write({"MYAPP_KEY": "one"})
            made = [k8s_settings(envvar_prefix="MYAPP") for _ in range(3)]
            get_reloader(made[1]).on_change()(print)
            configmap_volume.set("MYAPP_KEY", "two")
            for settings in made:
                assert wait_for_generation(settings).generation == 2
                assert settings.KEY == "two"
                assert get_reloader(settings).status().watching != "off"
        """
    ).assert_outcomes(passed=1)


def test_a_failing_test_leaves_nothing(run: Run) -> None:
    """After a test that fails, no thread and no variable of its settings is left to the next."""
    result = run(
        """
        import os, threading
        from dynaconf_k8s_reload import get_reloader

        before = dict(os.environ), set(threading.enumerate())

        def test_one(configmap_volume, k8s_settings, monkeypatch):
            monkeypatch.setenv("THEIRS", "theirs")
            configmap_volume.write({"OURS": "one", "THEIRS": "one"})
            get_reloader(k8s_settings()).on_change()(print)
            k8s_settings(envvar_prefix="MYAPP")
            assert os.environ["OURS"] == os.environ["THEIRS"] == "one"
            raise AssertionError("on purpose")

        def test_two():
            left = dict(os.environ)
            for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION"):
                left.pop(name, None)
                before[0].pop(name, None)
            assert (left, set(threading.enumerate())) == before
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: on purpose"])


def test_a_first_load_that_fails(run: Run) -> None:
    """What a validator refuses at once is raised by the factory, and leaves nothing behind."""
    run(
        """
        import os, threading
        import pytest
        from dynaconf import ValidationError, Validator

        def test_it(configmap_volume, k8s_settings):
            configmap_volume.write({"KEY": "0"})
            with pytest.raises(ValidationError):
                k8s_settings(validators=[Validator("KEY", gte=1)])
            assert "KEY" not in os.environ
            assert not [t for t in threading.enumerate() if t.name.startswith("k8s-reload")]
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("fixtures", ["monkeypatch, k8s_settings", "k8s_settings, monkeypatch"])
@here
def test_monkeypatch_is_respected(run: Run, fixtures: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that the test set is what the process had, whichever fixture comes first."""
    monkeypatch.setenv("THEIRS", "before")
    run(
        f"""
        import os

        def test_it(configmap_volume, {fixtures}, wait_for_generation):
            monkeypatch.setenv("THEIRS", "test's")
            monkeypatch.setenv("NEW", "test's")
            configmap_volume.write({{"THEIRS": "mount's", "NEW": "mount's"}})
            settings = k8s_settings()
            assert settings.THEIRS == os.environ["THEIRS"] == os.environ["NEW"] == "mount's"
            configmap_volume.delete("THEIRS")
            wait_for_generation(settings)
            assert os.environ["THEIRS"] == "test's"
        """
    ).assert_outcomes(passed=1)
    assert os.environ["THEIRS"] == "before"
    assert "NEW" not in os.environ


@here
def test_what_a_test_wrote_stays(run: Run) -> None:
    """A variable that the test itself wrote over a mirrored one is not touched afterwards."""
    run(
        """
        import os

        def test_one(configmap_volume, k8s_settings):
            configmap_volume.write({"KEY": "mount's"})
            k8s_settings()
            os.environ["KEY"] = "test's"

        def test_two():
            assert os.environ.pop("KEY") == "test's"
        """
    ).assert_outcomes(passed=2)


@here
def test_other_mounts(run: Run) -> None:
    """The keywords of the factory win: other mounts, another list of loaders, no watch."""
    run(
        """
        import pytest
        from dynaconf_k8s_reload import ConfigError, get_reloader
        from dynaconf_k8s_reload.testing import AtomicWriter

        def test_mounts(configmap_volume, k8s_settings, tmp_path):
            AtomicWriter(tmp_path / "other").write({"KEY": "other"})
            settings = k8s_settings(k8s_mounts=[tmp_path / "other"], k8s_watch=False)
            assert settings.KEY == "other"
            assert get_reloader(settings).status().watching == "off"

        def test_loaders(k8s_settings):
            with pytest.raises(ConfigError, match="not loaded by"):
                k8s_settings(loaders=[])
        """
    ).assert_outcomes(passed=2)


@here
def test_orders(run: Run) -> None:
    """A marker gives the order, several on a test run it in each, a parameter may have its own."""
    result = run(
        """
        import pytest

        def order(volume):
            return "1.20" if volume._links_first else "current"

        def test_default(configmap_volume):
            assert order(configmap_volume) == "current"

        @pytest.mark.configmap_order("1.20")
        def test_one(configmap_volume):
            assert order(configmap_volume) == "1.20"

        @pytest.mark.configmap_order("current", "1.20")
        def test_both(k8s_settings, configmap_volume, request):
            assert order(configmap_volume) in request.node.name

        @pytest.mark.configmap_order("current", "1.20")
        def test_neither():
            pass

        @pytest.mark.parametrize(
            "expected",
            ["current", pytest.param("1.20", marks=pytest.mark.configmap_order("1.20"))],
        )
        def test_parameters(expected, configmap_volume):
            assert order(configmap_volume) == expected
        """,
        "-v",
    )
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*::test_both?current?*", "*::test_both?1.20?*"])


@here
def test_wrong_orders(run: Run) -> None:
    """A marker without an order, or with one that no release has, says what to write."""
    result = run(
        """
        import pytest

        @pytest.mark.configmap_order
        def test_none(configmap_volume): ...

        @pytest.mark.configmap_order("1.19")
        def test_unknown(configmap_volume): ...
        """
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*write @pytest.mark.configmap_order*", "*must be 'current' or '1.20', not '1.19'*"]
    )


@here
def test_the_marker_is_listed(run: Run) -> None:
    """`pytest --markers` explains it."""
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.configmap_order(order, ...): *"])


@here
def test_each_volume_is_a_directory_of_its_own(run: Run, pytester: pytest.Pytester) -> None:
    """Volumes lie below pytest's temporary directory, beside the test's own, one for each test."""
    base = pytester.path / "base"
    run(
        """
        import os
        import pytest

        seen = set()

        @pytest.mark.parametrize("number", range(3))
        def test_it(configmap_volume, tmp_path, number):
            assert configmap_volume.payload == {}
            assert os.listdir(configmap_volume.directory)
            assert not os.listdir(tmp_path)
            assert configmap_volume.directory not in seen
            seen.add(configmap_volume.directory)
            print(configmap_volume.directory)
        """,
        f"--basetemp={base}",
    ).assert_outcomes(passed=3)
    assert len(list(base.glob("configmap*[0-9]"))) == 3


def test_runs_at_the_same_time(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes run the same tests at once, as pytest-xdist does, without each other."""
    monkeypatch.setenv("PYTHONPATH", str(Path(dynaconf_k8s_reload.__file__).parents[1]))
    path = pytester.makepyfile(EXAMPLES[0])
    command = [sys.executable, "-m", "pytest", *ARGUMENTS, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


def test_a_wait_that_fails_shows_the_tests_own_line(run: Run) -> None:
    """The traceback of a timeout ends in the test, and shows no value."""
    result = run(
        """
        from dynaconf_k8s_reload import get_reloader

        def test_it(configmap_volume, k8s_settings, wait_for_generation):
            configmap_volume.write({"PASSWORD": "hunter1"})
            settings = k8s_settings(k8s_watch=False)
            configmap_volume.write(dict(PASSWORD="hunter" + str(1 + 1)))
            wait_for_generation(settings, timeout=0.1)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*wait_for_generation(settings, timeout=0.1)",
            "E*TimeoutError: *after 0.1 s; generation 1 is, the watch is 'off', *error is: None",
        ]
    )
    result.stdout.no_fnmatch_line("*hunter2*")
    result.stdout.no_fnmatch_line("*give_up*")


def test_importing_the_plugin_imports_pytest_only() -> None:
    """In a project that does not use it, the plugin brings nothing but itself."""
    program = f"""
import json, sys
import pytest
before = set(sys.modules)
import {PLUGIN}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(run.stdout) == ["dynaconf_k8s_reload", PLUGIN]


@pytest.mark.parametrize("run", ["in a process"], indirect=True)
def test_a_run_without_the_fixtures_imports_nothing_more(run: Run) -> None:
    """A whole run imports neither dynaconf nor watchdog where no test asks for a fixture."""
    run(
        """
        import sys

        def test_it():
            assert "dynaconf_k8s_reload.pytest_plugin" in sys.modules
            assert not {"dynaconf", "watchdog", "dynaconf_k8s_reload.testing"} & set(sys.modules)
        """
    ).assert_outcomes(passed=1)


@here
def test_a_busy_subscriber_is_waited_for(run: Run) -> None:
    """The thread of a subscriber that is still at work ends before the next test begins."""
    run(
        """
        import threading
        from dynaconf_k8s_reload import get_reloader

        began = threading.Event()

        def work(changes):
            began.set()
            threading.Event().wait(0.3)

        def test_one(configmap_volume, k8s_settings):
            get_reloader(k8s_settings()).on_change()(work)
            configmap_volume.set("KEY", "VAL")
            assert began.wait(10)

        def test_two():
            assert not [t for t in threading.enumerate() if t.name.startswith("k8s-reload")]
        """
    ).assert_outcomes(passed=2)
    assert not [each for each in threading.enumerate() if each.name.startswith("k8s-reload")]
