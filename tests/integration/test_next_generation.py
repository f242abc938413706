"""While a thread builds a generation it lives in it; every other thread lives in the present."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from dynaconf import Dynaconf, Validator
from dynaconf.loaders import env_loader

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._environ.first_read import before_first_read
from dynaconf_k8s_reload._environ.overlay import Environment
from dynaconf_k8s_reload._environ.process import PROCESS, Environ
from dynaconf_k8s_reload._environ.staging import end_stage, staged
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def test_a_validator_that_reads_another_setting(volume: AtomicWriter) -> None:
    """It judges the update by the update's other settings, through the application's own object."""
    volume.write({"MYAPP_INNER": "1", "MYAPP_OUTER": "2"})
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.validators.register(Validator("INNER", condition=lambda v: v <= settings.OUTER))
    settings.validators.validate()
    volume.write({"MYAPP_INNER": "5", "MYAPP_OUTER": "9"})
    assert get_reloader(settings).reload().outcome == "applied"
    volume.write({"MYAPP_INNER": "2", "MYAPP_OUTER": "1"})
    assert get_reloader(settings).reload().outcome == "rejected"
    assert (settings.INNER, settings.OUTER) == (5, 9)


def test_two_objects_see_each_other_s_next_generation(volume: AtomicWriter) -> None:
    """Validators of objects that move together compare what both will be, in either order."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "1"})
    seen: list[tuple[int, int]] = []
    first = make_settings(volume.directory, k8s_resync=0.05)
    second = make_settings(volume.directory, k8s_resync=0.05)
    both = ((first, second), (second, first))
    for own, other in both:
        assert own.A == 1

        def judge(value: int, other: Any = other) -> bool:
            seen.append((value, other.B))
            return True

        own.validators.register(Validator("A", condition=judge))
    volume.write({"MYAPP_A": "2", "MYAPP_B": "2"})
    eventually(lambda: get_reloader(second).status().generation == 2)
    assert seen == [(2, 2), (2, 2)]


READERS = {
    "a settings file": {"settings_files": ["reads.py"]},
    "a hook": {"post_hooks": [lambda _: {"SEEN": os.environ.get("MYAPP_A")}]},
    "a validator": {
        "validators": [Validator("SEEN", default=lambda *_: os.environ.get("MYAPP_A"))]
    },
    "a copy": {"post_hooks": [lambda _: {"SEEN": dict(os.environ).get("MYAPP_A")}]},
}


@pytest.mark.parametrize("options", READERS.values(), ids=READERS)
def test_what_reads_the_environment_while_it_is_built(
    volume: AtomicWriter, tmp_path: Path, options: dict[str, Any]
) -> None:
    """It finds the update's variables: changed ones, new ones, and none that have gone."""
    (tmp_path / "reads.py").write_text("import os\nSEEN = os.environ.get('MYAPP_A')\n")
    volume.write({"MYAPP_A": "1"})
    os.environ["MYAPP_A"] = "1"
    try:
        settings = make_settings(
            volume.directory, k8s_watch=False, root_path=str(tmp_path), **options
        )
        assert str(settings.SEEN) == "1"
        for content in ({"MYAPP_A": "2"}, {}, {"MYAPP_A": "3"}):
            volume.write(content)
            assert get_reloader(settings).reload().outcome == "applied"
            expected = content.get("MYAPP_A")
            assert str(settings.get("SEEN")) == str(expected)
            assert os.environ.get("MYAPP_A") == expected
    finally:
        os.environ.pop("MYAPP_A", None)


def test_the_settings_of_another_environment_are_built_there_too(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """What a ``from_env()`` child loads reads the variables that will be, in a reload as well."""
    (tmp_path / "reads.py").write_text("import os\nSEEN = os.environ.get('MYAPP_A')\n")
    volume.write({"MYAPP_A": "1"})
    files = [str(tmp_path / "reads.py")]
    settings = make_settings(volume.directory, k8s_watch=False, settings_files=files)
    child = settings.from_env("other")
    assert (child.A, child.SEEN) == (1, "1")
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (child.A, child.SEEN) == (2, "2")


def test_a_hook_of_a_first_load_sees_the_variables_of_the_mount(volume: AtomicWriter) -> None:
    """A process that is older than the content has other variables, but starts with the new ones.

    So does an object that the hook makes, and nobody else: the variables are written at the end.
    """
    os.environ["MYAPP_A"] = "older"
    volume.write({"MYAPP_A": "1", "MYAPP_B": "2"})
    others: list[Any] = []

    def hook(settings: Any) -> dict[str, Any]:
        seen = dict(os.environ)
        thread = threading.Thread(target=lambda: others.append(os.environ.get("MYAPP_B")))
        thread.start()
        thread.join()
        env_loader.load(settings, identifier="again")
        own = make_settings(k8s_watch=False)
        return {"SEEN": [settings.A, own.A, seen["MYAPP_A"], os.environ["MYAPP_B"]], "OWN": own}

    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    try:
        assert settings.SEEN == [1, 1, "1", "2"]
        assert others == [None]
        assert os.environ["MYAPP_A"] == "1"
        os.environ["MYAPP_A"] = "later"
        assert settings.OWN.get_fresh("A") == "later"
    finally:
        os.environ.pop("MYAPP_A", None)


def test_a_template_that_a_first_load_merges_reads_the_variables_of_the_mount(
    volume: AtomicWriter,
) -> None:
    """Merging evaluates it, before any variable has been written."""
    volume.write(
        {"ONE_L": '["@format {env[ONE_X]}"]', "TWO_L": "@merge ['b']", "ONE_X": "of the mount"}
    )
    settings = make_settings(volume.directory, k8s_watch=False, envvar_prefix="ONE,TWO")
    assert sorted(settings.L) == ["b", "of the mount"]


def test_a_settings_files_template_is_merged_with_the_variables_of_the_mount(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """Merging evaluates it: also a first load has what the mount says by then, not the process."""
    (tmp_path / "s.toml").write_text('[nest]\ndeep = "@format {env[MYAPP_E]}"\n')
    files = [str(tmp_path / "s.toml")]
    for first, second in (("one", "two"), ("three", "four")):
        volume.write({"MYAPP_E": first, "MYAPP_NEST__other": "1"})
        settings = make_settings(volume.directory, k8s_watch=False, settings_files=files)
        assert settings.NEST.deep == first
        volume.write({"MYAPP_E": second, "MYAPP_NEST__other": "1"})
        assert get_reloader(settings).reload().outcome == "applied"
        assert settings.NEST.deep == second


def test_a_first_load_that_a_hook_ends_leaves_the_present(volume: AtomicWriter) -> None:
    """The thread sees the process's variables again, also where the loads were nested."""
    volume.write({"MYAPP_A": "1"})
    seen: list[str | None] = []

    def fail(_: Any) -> None:
        raise ArithmeticError

    def outer(_: Any) -> dict[str, Any]:
        with pytest.raises(ArithmeticError):
            bool(make_settings(volume.directory, k8s_watch=False, post_hooks=[fail]))
        seen.append(os.environ.get("MYAPP_A"))
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        bool(make_settings(volume.directory, k8s_watch=False, post_hooks=[outer]))
    assert seen == ["1"]
    assert "MYAPP_A" not in os.environ
    assert type(os.environ).__name__ == "_Environ"


def test_settings_that_load_themselves_end_as_with_dynaconf_alone(volume: AtomicWriter) -> None:
    """A hook of a first load that asks for the application's own object ends in an error, soon."""
    volume.write({"MYAPP_A": "1"})
    settings: Any = make_settings(
        volume.directory, k8s_watch=False, post_hooks=[lambda _: {"B": settings.A}]
    )
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    try:
        with pytest.raises(RecursionError):
            bool(settings)
    finally:
        sys.setrecursionlimit(limit)
    assert "MYAPP_A" not in os.environ


def test_a_hook_that_loads_the_environment(volume: AtomicWriter) -> None:
    """``env_loader.load(settings)`` within a hook loads the update's variables."""
    volume.write({"MYAPP_COLOR": "red"})

    def hook(settings: Any) -> dict[str, Any]:
        env_loader.load(settings, identifier="again")
        return {"SEEN": settings.get("COLOR")}

    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    assert settings.SEEN == "red"
    for content in ({"MYAPP_COLOR": "blue"}, {}):
        volume.write(content)
        assert get_reloader(settings).reload().outcome == "applied"
        assert settings.get("SEEN") == settings.get("COLOR") == content.get("MYAPP_COLOR")


def test_what_a_settings_file_writes_goes_to_the_process(
    volume: AtomicWriter, tmp_path: Path
) -> None:
    """Its ``setdefault``, assignment and removal act as at a start, and it reads what it wrote."""
    (tmp_path / "writes.py").write_text(
        "import os\n"
        "os.environ.setdefault('MYAPP_DEFAULTED', 'by default')\n"
        "os.environ.setdefault('MYAPP_A', 'not this')\n"
        "os.environ['WRITTEN'] = os.environ['MYAPP_A']\n"
        "os.environ['REMOVED'] = '1'\n"
        "del os.environ['REMOVED']\n"
        "SEEN = [os.environ['WRITTEN'], 'REMOVED' in os.environ, len(os.environ) > 3]\n"
    )
    volume.write({"MYAPP_A": "1"})
    os.environ["MYAPP_A"] = "1"
    try:
        settings = make_settings(
            volume.directory, k8s_watch=False, root_path=str(tmp_path), settings_files=["writes.py"]
        )
        assert settings.SEEN == ["1", False, True]
        del os.environ["MYAPP_DEFAULTED"]
        volume.write({"MYAPP_A": "2"})
        assert get_reloader(settings).reload().outcome == "applied"
        assert settings.SEEN == ["2", False, True]
        assert (os.environ["MYAPP_A"], os.environ["WRITTEN"]) == ("2", "2")
        assert (settings.DEFAULTED, os.environ["MYAPP_DEFAULTED"]) == ("by default",) * 2
    finally:
        for name in ("MYAPP_A", "WRITTEN", "MYAPP_DEFAULTED"):
            os.environ.pop(name, None)


def test_removing_what_only_the_next_generation_has(volume: AtomicWriter) -> None:
    """It is gone for whoever builds, and there for the process once it is published."""
    volume.write({"MYAPP_A": "1"})

    def hook(_: Any) -> dict[str, Any]:
        name = "MYAPP_NEW"
        had = os.environ.pop(name, None)
        with pytest.raises(KeyError):
            del os.environ[name]
        return {"SEEN": [had, os.environ.get(name), name in os.environ, name in list(os.environ)]}

    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    assert settings.SEEN == [None, None, False, False]
    volume.write({"MYAPP_A": "1", "MYAPP_NEW": "1"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.SEEN == ["1", None, False, False]
    assert os.environ["MYAPP_NEW"] == "1"


def test_other_threads_see_the_present_during_a_slow_build(volume: AtomicWriter) -> None:
    """No other thread reads anything of the next generation, nor the builder of the present."""
    volume.write({"MYAPP_A": "1", "MYAPP_OLD": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    enough, stop = threading.Event(), threading.Event()
    wrong: list[Any] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            for _ in range(1000):
                found = settings.A, os.environ["MYAPP_A"], "MYAPP_OLD" in os.environ
                if found != (1, "1", True):
                    wrong.append(found)
            reads += 3000
            if reads >= 200_000:
                enough.set()

    def slow(value: Any) -> bool:
        if value == 2:
            thread.start()
            assert enough.wait(300)
            seen = settings.A, os.environ["MYAPP_A"], "MYAPP_OLD" in os.environ
            if seen != (2, "2", False):
                wrong.append(seen)
            stop.set()
            thread.join()
        return True

    thread = threading.Thread(target=read)
    assert settings.A == 1
    settings.validators.register(Validator("A", condition=slow))
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    print(f"{reads} reads beside a build, {len(wrong)} of the wrong generation")
    assert wrong == []
    assert (settings.A, os.environ["MYAPP_A"]) == (2, "2")


def test_afterwards_everything_has_its_own_class(volume: AtomicWriter) -> None:
    """The read path is what it was: neither ``os.environ`` nor the wrapper asks for the thread."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    classes = type(os.environ), type(settings)
    within: list[Any] = []

    def judge(_: Any) -> bool:
        within.append((type(os.environ), type(settings)))
        return True

    assert settings.A == 1
    settings.validators.register(Validator("A", condition=judge))
    for content in ("2", "refused = "):
        volume.write({"MYAPP_A": content, "app.toml": ""})
        get_reloader(settings).reload()
        assert (type(os.environ), type(settings)) == classes
    assert within[0] != classes
    assert issubclass(within[0][0], classes[0])
    assert issubclass(within[0][1], Dynaconf)


def test_a_fork_within_a_build(volume: AtomicWriter) -> None:
    """A child that a build forks goes on in the next generation; another's, and its, are plain."""
    volume.write({"MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    plain = type(os.environ), type(settings)
    codes: list[int] = []

    def forks(check: Any) -> int:
        child = os.fork()
        if child == 0:
            os._exit(0 if check() else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def is_plain() -> bool:
        return (type(os.environ), type(settings)) == plain and settings.A == 1

    def judge(value: Any) -> bool:
        if value == 2:
            codes.append(forks(lambda: (settings.A, os.environ["MYAPP_A"]) == (2, "2")))
            other = threading.Thread(
                target=lambda: codes.append(forks(lambda: is_plain() and forks(is_plain) == 0))
            )
            other.start()
            other.join()
        return True

    settings.validators.register(Validator("A", condition=judge))
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert codes == [0, 0]


def test_a_child_of_a_build_prepares_nothing_before_the_build_ends() -> None:
    """What is to be done at its first read of the present waits for that; here without a fork."""
    prepared: list[int] = []
    with staged(Environment(PROCESS, {"HERE": "1"})):
        before_first_read(lambda _: True, lambda: prepared.append(1))
        assert (os.environ["HERE"], prepared) == ("1", [])
    assert "HERE" not in os.environ
    assert prepared == [1]


def test_who_is_in_the_present_stays_there() -> None:
    """There is nothing to end for a thread that builds nothing."""
    end_stage()
    assert type(os.environ) is Environ


def test_another_thread_changes_the_environment_during_a_build(volume: AtomicWriter) -> None:
    """What it sets and removes is the process's at once, and nothing of the build is shown."""
    volume.write({"MYAPP_A": "1"})

    def change() -> None:
        os.environ["OF_ANOTHER"] = "1"
        assert os.environ.pop("OF_ANOTHER") == "1"
        assert os.environ.get("MYAPP_A") in (None, "1")
        assert len(os.environ) == len(list(os.environ))

    def hook(_: Any) -> dict[str, Any]:
        failed: list[BaseException] = []
        other = threading.Thread(target=lambda: failed.extend(raised(change)))
        other.start()
        other.join()
        return {"FAILED": failed, "HERE": os.environ.get("MYAPP_A")}

    settings = make_settings(volume.directory, k8s_watch=False, post_hooks=[hook])
    assert settings.A == 1
    volume.write({"MYAPP_A": "2"})
    assert get_reloader(settings).reload().outcome == "applied"
    assert (settings.FAILED, settings.HERE) == ([], "2")


def raised(function: Any) -> list[BaseException]:
    try:
        function()
    except BaseException as error:
        return [error]
    return []


def test_what_a_traceback_shows_of_the_environment() -> None:
    """The process's environment by its size, and never a value."""
    from dynaconf_k8s_reload._environ.process import PROCESS

    assert repr(PROCESS) == f"ProcessEnviron({len(os.environ)} variables)"
