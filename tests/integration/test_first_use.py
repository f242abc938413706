"""What a forked child does before it first uses its settings, which is nothing, and then."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from dynaconf import Dynaconf, Validator

from dynaconf_k8s_reload import _dynaconf, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, forked, make_settings

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.usefixtures("first_look_is_awaited"),
]


def in_child(function: Callable[[], object]) -> None:
    """Run a function in a forked process; fail if it does."""
    assert os.waitstatus_to_exitcode(os.waitpid(forked(function), 0)[1]) == 0


@pytest.fixture
def followed(volume: AtomicWriter) -> Any:
    volume.write({"MYAPP_KEY": "1", "MYAPP_NEST__A": "1"})
    settings = make_settings(volume.directory, k8s_resync=3600)
    assert settings.KEY == 1
    eventually(lambda: get_reloader(settings).status().watching == "events")
    return settings


def test_a_child_that_uses_nothing_runs_nothing(followed: Any) -> None:
    """No thread is started in a child, and what looks through its objects starts none either."""

    def child() -> None:
        wrapped = vars(followed)["_wrapped"]
        assert isinstance(wrapped, type(wrapped))
        assert wrapped.__class__ is type(wrapped)
        assert len(os.listdir("/proc/self/task")) == 1

    in_child(child)


WAYS: dict[str, Callable[[Any], object]] = {
    "attribute": lambda settings: settings.KEY,
    "item": lambda settings: settings["KEY"],
    "get": lambda settings: settings.get("KEY"),
    "call": lambda settings: settings("KEY"),
    "lower case": lambda settings: settings.key,
    "as_dict": lambda settings: settings.as_dict()["KEY"],
    "to_dict": lambda settings: settings.to_dict()["KEY"],
    "snapshot": lambda settings: get_reloader(settings).snapshot().KEY,
    "pin": lambda settings: get_reloader(settings).pin().__enter__().KEY,
    "status": lambda settings: (get_reloader(settings).status(), settings.KEY)[1],
}


@pytest.mark.parametrize("way", WAYS)
def test_the_first_use_is_up_to_date(followed: Any, volume: AtomicWriter, way: str) -> None:
    """Whichever way a child reads first, it reads what the mount holds now, not at the fork."""

    def child() -> None:
        volume.write({"MYAPP_KEY": "2"})
        assert WAYS[way](followed) == 2
        assert os.environ["MYAPP_KEY"] == "2"
        volume.write({"MYAPP_KEY": "3"})
        eventually(lambda: followed.KEY == 3)

    in_child(child)
    eventually(lambda: followed.KEY == 3)


def test_code_that_sets_comes_first_too(followed: Any, volume: AtomicWriter) -> None:
    """What a child sets is kept by the reload that its first use brings about."""

    def child() -> None:
        volume.write({"MYAPP_KEY": "2"})
        followed.set("OWN", 5)
        eventually(lambda: followed.KEY == 2)
        assert followed.OWN == 5

    in_child(child)


def test_settings_of_another_environment_are_settings_too(volume: AtomicWriter) -> None:
    """A child that uses nothing but what `from_env()` gave its parent follows as well."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, environments=True)
    production = settings.from_env("production")
    assert production.KEY == 1

    def child() -> None:
        volume.write({"MYAPP_KEY": "2"})
        assert production.KEY == 2

    in_child(child)


def test_a_childs_child_is_marked_anew(followed: Any, volume: AtomicWriter) -> None:
    """Whether or not the child in between has used its settings."""

    def grandchild() -> None:
        volume.write({"MYAPP_KEY": "2"})
        assert followed.KEY == 2

    in_child(lambda: in_child(grandchild))

    def child() -> None:
        assert followed.KEY == 2
        in_child(grandchild)

    in_child(child)


READS: dict[str, Callable[[], object]] = {
    "item": lambda: os.environ["MYAPP_KEY"],
    "get": lambda: os.environ.get("MYAPP_KEY"),
    "getenv": lambda: os.getenv("MYAPP_KEY"),
    "copy": lambda: os.environ.copy()["MYAPP_KEY"],
    "all": lambda: dict(os.environ)["MYAPP_KEY"],
    "length": lambda: len(os.environ) and os.environ["MYAPP_KEY"],
    "a program's": lambda: subprocess.check_output(["printenv", "MYAPP_KEY"], text=True).strip(),
}


@pytest.mark.parametrize("way", READS)
def test_a_child_that_reads_variables_only_follows(
    followed: Any, volume: AtomicWriter, way: str
) -> None:
    """It never looks at a setting: whichever way it reads, it reads what the mount holds now."""

    def child() -> None:
        usual = type(os.environ).__mro__[1]
        volume.write({"MYAPP_KEY": "2", "MYAPP_NEW": "1"})
        if way == "a program's":
            assert os.environ["MYAPP_NEW"] == "1"
        assert READS[way]() == "2"
        assert type(os.environ) is usual
        volume.write({"MYAPP_KEY": "3"})
        eventually(lambda: os.environ["MYAPP_KEY"] == "3")

    in_child(child)
    eventually(lambda: followed.KEY == 3)


@pytest.mark.parametrize("read", [lambda: os.environ["MYAPP_KEY"], lambda: len(os.environ)])
def test_the_first_read_of_a_variable_prepares_once(
    followed: Any, read: Callable[[], object]
) -> None:
    """It need not have changed, but may have; here without a fork."""
    prepared: list[int] = []
    get_reloader(followed)._process.mark_fork(lambda: prepared.append(1))
    assert os.environ["PATH"]
    assert prepared == []
    for _ in range(2):
        read()
        assert prepared == [1]


def test_what_greenlets_take_the_place_of_threads_by_prepares_nothing(followed: Any) -> None:
    """gevent's patching reads variables, and a watch that began within it would block them all."""
    prepared: list[int] = []
    get_reloader(followed)._process.mark_fork(lambda: prepared.append(1))
    names: dict[str, Any] = {"__name__": "gevent.monkey", "os": os}
    exec("def patch_all(): return os.environ['MYAPP_KEY']", names)
    assert (names["patch_all"](), prepared) == ("1", [])
    assert (os.environ["MYAPP_KEY"], prepared) == ("1", [1])


def test_a_variable_that_is_new_is_found_in_a_child(followed: Any, volume: AtomicWriter) -> None:
    """Although nobody had it before the fork; what the mounts say nothing of begins nothing."""

    def child() -> None:
        assert "MYAPP_LATER" not in os.environ
        assert len(os.listdir("/proc/self/task")) == 1
        volume.write({"MYAPP_KEY": "1", "MYAPP_LATER": "1"})
        assert os.environ["MYAPP_LATER"] == "1"

    in_child(child)


def test_a_child_that_looks_for_a_program_runs_nothing(followed: Any, volume: AtomicWriter) -> None:
    """What ``exec`` looks up is no use of the variables, nor is writing one."""

    def child() -> None:
        volume.write({"MYAPP_KEY": "2"})
        os.environ["OWN"] = "1"
        assert os.get_exec_path() == os.environ["PATH"].split(os.pathsep)
        assert len(os.listdir("/proc/self/task")) == 1
        os.execlp("true", "true")

    in_child(child)


@pytest.mark.parametrize("environment", ["", "production"])
def test_what_the_settings_were_exported_to_follows_in_a_child(
    volume: AtomicWriter, environment: str
) -> None:
    """A child that reads nothing but a module which its parent has populated."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_resync=3600)
    exported = settings.from_env(environment) if environment else settings
    module, slotted = ModuleType("exported"), Slotted()
    exported.populate_obj(module)
    exported.populate_obj(slotted, ["KEY"])

    def child() -> None:
        volume.write({"MYAPP_KEY": "2"})
        assert module.__name__ == "exported"
        assert len(os.listdir("/proc/self/task")) == 1
        eventually(lambda: module.KEY == 2)
        assert type(module) is ModuleType
        eventually(lambda: slotted.KEY == 2)

    in_child(child)


class Slotted:
    """It takes nothing but one setting, and has no other class."""

    __slots__ = ("KEY",)
    KEY: int


def test_one_use_by_many_threads_prepares_once(volume: AtomicWriter) -> None:
    """The first reader prepares, for all of them, and then the class is the usual one."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == 1
    wrapped = vars(settings)["_wrapped"]
    usual = type(wrapped)
    prepared: list[int] = []
    for _ in range(2):
        _dynaconf.before_first_use(wrapped, lambda: prepared.append(settings.KEY))
    assert type(wrapped) is not usual
    start = threading.Barrier(4)

    def read() -> None:
        start.wait()
        assert settings.KEY == 1

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prepared == [1]
    assert type(wrapped) is usual


def test_a_reader_that_comes_second_prepares_nothing(volume: AtomicWriter) -> None:
    """It had begun to read when another one's use gave the object its usual class back."""
    volume.write({"MYAPP_KEY": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    assert settings.KEY == 1
    wrapped = vars(settings)["_wrapped"]
    prepared: list[int] = []
    _dynaconf.before_first_use(wrapped, lambda: prepared.append(1))
    begun: Any = type(wrapped).__getattribute__
    _dynaconf.used(wrapped)
    assert begun(wrapped, "KEY") == 1
    assert prepared == []


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, os, subprocess, sys
from dynaconf import Dynaconf
loaders = ["dynaconf_k8s_reload.loader"]
settings = Dynaconf(envvar_prefix="MYAPP", loaders=loaders, k8s_mounts=[sys.argv[1]])
assert settings.KEY == 1

def job(number):
    print(number, os.getpid(), flush=True)

gevent.sleep(0.2)
for number in range(5):
    gevent.spawn(job, number)  # ready, not yet begun
    subprocess.run(["/bin/true"])  # forks in Python
    subprocess.run(["/bin/true"], preexec_fn=lambda: None)
gevent.sleep(0.2)
pid = os.fork()
if pid == 0:
    open(os.path.join(sys.argv[1], "MYAPP_KEY"), "w").write("2")
    while settings.KEY != 2:
        gevent.sleep(0.05)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_under_gevent_a_started_program_runs_no_greenlet_twice(tmp_path: Any) -> None:
    """What is ready to run when a program is started runs in the parent only; a worker follows."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    (tmp_path / "MYAPP_KEY").write_text("1")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", GEVENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.splitlines() == [f"{number} {process.pid}" for number in range(5)]


GEVENT_WORKER = """
import os, sys
import gevent
from dynaconf import Dynaconf
from gevent import monkey
loaders = ["dynaconf_k8s_reload.loader"]
settings = Dynaconf(envvar_prefix="MYAPP", loaders=loaders, k8s_mounts=[sys.argv[1]])
assert settings.KEY == 1
pid = os.fork()
if pid == 0:
    monkey.patch_all()
    open(os.path.join(sys.argv[1], "MYAPP_KEY"), "w").write("2")
    gevent.get_hub()  # reads variables while it is made
    while os.environ["MYAPP_KEY"] != "2":
        gevent.sleep(0.05)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_mount_that_moves_before_gevent_has_its_hub_ends_no_worker(tmp_path: Any) -> None:
    """A worker that is forked, then patched, watches by the hub that it goes on with."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    (tmp_path / "MYAPP_KEY").write_text("1")
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GEVENT_WORKER, str(tmp_path)],
        # dynaconf imports Django's settings where it is installed, and gevent asks for their class.
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "django.conf.global_settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_an_object_that_is_being_loaded_is_not_marked(volume: AtomicWriter) -> None:
    """A fork within the first load: parent and child both come up, and follow."""
    volume.write({"MYAPP_KEY": "1"})
    forked: list[int] = []

    def fork(value: Any) -> bool:
        if not forked:
            forked.append(os.fork())
        return True

    settings = Dynaconf(
        envvar_prefix="MYAPP",
        loaders=["dynaconf_k8s_reload.loader"],
        k8s_mounts=[str(volume.directory)],
        validators=[Validator("KEY", condition=fork)],
    )
    try:
        assert settings.KEY == 1
        if forked == [0]:
            volume.write({"MYAPP_KEY": "2"})
            eventually(lambda: settings.KEY == 2)
            os._exit(0)
    except BaseException:
        if forked == [0]:
            os._exit(1)
        raise
    assert os.waitstatus_to_exitcode(os.waitpid(forked[0], 0)[1]) == 0
    eventually(lambda: settings.KEY == 2)
