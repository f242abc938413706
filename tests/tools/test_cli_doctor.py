"""``doctor``: each finding provoked for real, and none on a healthy mount."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest

from command import Done, run, run_process, screens, short_directory
from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload._reload.last_good import keep
from dynaconf_k8s_reload._source.reading import read
from dynaconf_k8s_reload.cli.findings import NAMES
from dynaconf_k8s_reload.cli.patience import loading_patience
from dynaconf_k8s_reload.testing import AtomicWriter

ENTER = "namespaces.enter(); "
SETTINGS = """
from dynaconf import Dynaconf
settings = Dynaconf(
    envvar_prefix="MYAPP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=["{mount}"],
)
"""


def requiring(name: str, module: str) -> str:
    """Have the settings of a module require one."""
    validators = f"    validators=[Validator('{name}', must_exist=True)],\n)"
    return module.replace("import Dynaconf", "import Dynaconf, Validator").replace(
        "\n)", f"\n{validators}"
    )


class Examine(Protocol):
    """Examine settings that a module of this text makes, in this process or in its own."""

    def __call__(
        self, module: str, *arguments: object, apart: bool = False, **environ: str
    ) -> Done: ...


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Examine]:
    directory = tmp_path / "application"
    directory.mkdir()
    monkeypatch.chdir(directory)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # one second, several texts

    def call(module: str, *arguments: object, apart: bool = False, **environ: str) -> Done:
        (directory / "examined.py").write_text(module)
        sys.modules.pop("examined", None)
        importlib.invalidate_caches()
        command = ("doctor", "--settings", "examined:settings", *arguments)
        return run_process(*command, environ=environ) if apart else run(*command, **environ)

    yield call
    sys.modules.pop("examined", None)


def finds(done: Done, title: str, *words: str) -> None:
    """Check that there is this finding, with these words, on a screen without a traceback."""
    assert done.status == (0 if title.startswith("NOTE") else 1), done.err
    assert title in done.out
    for text in words:  # wherever lines break
        assert "".join(text.split()) in "".join(done.out.split())
    assert "Traceback" not in done.err
    assert "s3cret" not in done.out


def test_a_django_project_without_the_variable_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Django cannot know its settings then; the remedy is to set it."""
    pytest.importorskip("django")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    done = run_process("doctor", "--settings", "django.conf:settings")
    assert done.status == 1
    assert "Django does not know its settings module." in done.out
    assert "Set DJANGO_SETTINGS_MODULE, such as to myshop.settings." in done.out


def test_a_healthy_mount() -> None:
    """Nothing is found on a healthy mount."""
    with short_directory() as directory:
        AtomicWriter(directory / "config").write({"MYAPP_A": "1", "DB__HOST": "x"})
        done = screens("doctor-healthy", "doctor", directory / "config")
    assert done.status == 0


def test_a_sick_mount() -> None:
    """Findings come in order of severity, each with its remedy."""
    with short_directory() as directory:
        AtomicWriter(directory / "config").write(
            {"app.toml": "", "a-b": "s3cret", "A__B": "1", "A.B": "1", "LOGO": b"\xff", "PATH": "x"}
        )
        done = screens("doctor-sick", "doctor", directory / "config", directory / "absent")
    assert done.status == 1


def test_without_arguments(tmp_path: Path) -> None:
    """Without arguments the mounts are those of the environment, else /config."""
    AtomicWriter(tmp_path / "config").write({"A": "1"})
    done = run("doctor", K8S_MOUNTS_FOR_DYNACONF=f"['{tmp_path / 'config'}']")
    assert done.status == 0
    assert str(tmp_path / "config") in done.out
    if not os.path.lexists("/config"):
        finds(run("doctor"), "The directory is absent", "/config is not there.")


def test_a_configured_mount_is_checked_as_configured(tmp_path: Path) -> None:
    """A directory that the environment configures is looked at with its prefix; others are left."""
    AtomicWriter(tmp_path / "config").write({"1ST": "1"})
    mounts = f"[{{path = '{tmp_path / 'config'}', prefix = 'N'}}, '{tmp_path / 'other'}']"
    done = run("doctor", tmp_path / "config", K8S_MOUNTS_FOR_DYNACONF=mounts)
    assert done.status == 0


def test_it_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong option, and settings that are not there, are no findings: it cannot run."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    done = run("doctor", K8S_MOUNT_FOR_DYNACONF="x")
    assert done.status == 2
    assert "write K8S_MOUNTS_FOR_DYNACONF\n" in done.err
    for name, message in [
        ("json", "write package.module:settings"),
        ("no_such.module:settings", "there is no module no_such"),
        ("json:settings", "json has no settings"),
        ("json.py", "there is no module json.py; write package.module:settings"),
        ("json/settings", "there is no module json/settings; write package.module:settings"),
        ("json.loads", "there is no module json.loads; write json:loads"),
        (".json:settings", "--settings .json:settings: write package.module:settings"),
        ("json:loads", "json:loads is a function; call it in a module (app = loads()) and name"),
        ("json:loads()", "json:loads is a function; call it in a module (app = loads()) and name"),
    ]:
        done = run("doctor", "--settings", name)
        assert done.status == 2
        assert message in done.err


# mounts


def test_a_sub_path_of_one_file(volume: AtomicWriter, tmp_path: Path) -> None:
    """A file that is mounted by itself never changes; its directory is no plain one by choice."""
    volume.write({"KEY": "x"})
    file = tmp_path / "mount" / "KEY"
    file.parent.mkdir()
    file.touch()
    first = f"{ENTER}namespaces.bind('{volume.directory}/..data/KEY', '{file}')"
    done = run_process("doctor", file.parent, first=first)
    finds(done, "ERROR    A subPath mount never changes", "without subPath", "1 finding.")
    done = run_process("doctor", file, first=first)
    finds(done, "ERROR    A subPath mount never changes", str(file), "1 finding.")


def test_a_sub_path_of_a_directory(volume: AtomicWriter, tmp_path: Path) -> None:
    """So is a directory of one generation, mounted by itself."""
    volume.write({"sub/KEY": "x"})
    (tmp_path / "mount").mkdir()
    first = f"{ENTER}namespaces.bind('{volume.directory}/..data/sub', '{tmp_path / 'mount'}')"
    done = run_process("doctor", tmp_path / "mount", first=first)
    finds(done, "ERROR    A subPath mount never changes", "1 finding.")


def test_a_whole_volume_that_is_mounted(volume: AtomicWriter, tmp_path: Path) -> None:
    """A volume that is mounted as a whole, as in a pod, is healthy."""
    volume.write({"KEY": "x"})
    (tmp_path / "my mount").mkdir()
    first = f"{ENTER}namespaces.bind('{volume.directory}', '{tmp_path / 'my mount'}')"
    done = run_process("doctor", tmp_path / "my mount", first=first)
    assert done.status == 0
    assert "kubectl annotate pod" in done.out  # there it is a kubelet that takes its time


def test_a_plain_directory(tmp_path: Path) -> None:
    """A directory without ..data is no volume."""
    finds(run("doctor", tmp_path), "WARNING  Not a Kubernetes volume", "has no ..data")


def test_a_file(tmp_path: Path) -> None:
    """A file is no mount."""
    (tmp_path / "file").touch()
    done = run("doctor", tmp_path / "file")
    finds(done, "ERROR    The mount cannot be read", "Name the directory of the volume")


def test_an_unreadable_directory(volume: AtomicWriter) -> None:
    """What the process's user may not read is an error, with what to set."""
    volume.write({"KEY": "x"})
    os.chmod(volume.directory / "..data" / "KEY", 0)
    done = run_process("doctor", volume.directory, first="namespaces.drop_privileges()")
    finds(done, "ERROR    The mount cannot be read", "EACCES", "(defaultMode, fsGroup).")


def test_a_directory_that_may_only_be_entered(volume: AtomicWriter) -> None:
    """A directory that may not be read has no events, though its volume can be read."""
    volume.write({"KEY": "x"})
    os.chmod(volume.directory, 0o311)
    done = run_process("doctor", volume.directory, first="namespaces.drop_privileges()")
    os.chmod(volume.directory, 0o755)
    finds(done, "WARNING  The directory may not be read", "(defaultMode, fsGroup)", "1 finding.")


def test_a_file_system_without_events() -> None:
    """Of some file systems the kernel does not hear what others write."""
    done = run("doctor", "/proc/sys/fs/inotify")
    finds(done, "WARNING  The file system gives no events", "is on proc", "k8s_resync")


# keys


@pytest.mark.parametrize(
    ("payload", "title", "words"),
    [
        ({"a-b": "s3cret"}, "NOTE     Keys that are not variables", "config: a-b."),
        ({"LOGO": b"\xff"}, "NOTE     Binary keys are not variables", "config: LOGO."),
        ({"NUL": "a\0"}, "NOTE     Binary keys are not variables", "config: NUL."),
        ({"app.toml": "a = 1"}, "NOTE     File-like keys are not variables", "config: app.toml."),
        ({"LD_PRELOAD": "x"}, "WARNING  Protected names are not mirrored", "config: LD_PRELOAD."),
        ({"DYNACONF_INCLUDE": "x"}, "WARNING  Reserved names are not taken", ": DYNACONF_INCLUDE."),
        ({"A": "@int s3cret"}, "ERROR    Values that cannot be parsed", "@int fails at what"),
        ({"A": "@json {s3cret"}, "ERROR    Values that cannot be parsed", "follows it in A."),
        ({"A": "false\r\n"}, "WARNING  Windows line endings", "config: A; "),
        ({"A": "\ufeff1"}, "WARNING  Values that begin with a byte order mark", "config: A; "),
        ({"DYNACONF_A": "1", "dynaconf_a": "1"}, "WARNING  Keys that differ only by case", ": D"),
        ({"nginx.conf": "s3cret;"}, "NOTE     File-like keys", "best left out with exclude"),
        ({"BIG": "x" * 131072}, "WARNING  Values too large for a child process", "config: BIG."),
        ({"A__B": "1", "a.b": "2"}, "WARNING  Several keys name one setting", "A__B, a.b are all"),
        ({"s/x": "1", "s__x": "2"}, "WARNING  Several keys name one setting", "s/x, s__x are all"),
        ({f"a-{n}": "" for n in range(12)}, "NOTE     Keys that are not variables", "and 2 more."),
    ],
)
def test_keys(
    payload: dict[str, str | bytes], title: str, words: str, volume: AtomicWriter
) -> None:
    """What is not mirrored, or collides, is told with its key."""
    volume.write(payload)
    finds(run("doctor", volume.directory), title, words)


def test_the_environment_differs(volume: AtomicWriter) -> None:
    """A variable of envFrom that is older than the mount is told, without either value."""
    volume.write({"MYAPP_A": "s3cret", "MYAPP_B": "same", "MYAPP_C": "new"})
    done = run("doctor", volume.directory, MYAPP_A="older s3cret", MYAPP_B="same")
    finds(done, "WARNING  Variables differ from the mount", "MYAPP_A had another value", "1 find")


def test_the_environment_wins(volume: AtomicWriter) -> None:
    """A key that k8s_env_wins shadows is told."""
    volume.write({"MYAPP_A": "x"})
    wins = "['MYAPP_*']"
    done = run("doctor", volume.directory, MYAPP_A="y", K8S_ENV_WINS_FOR_DYNACONF=wins)
    finds(done, "WARNING  The environment shadows keys", "config: MYAPP_A.", "1 finding.")


def test_an_environment_that_is_too_large(volume: AtomicWriter) -> None:
    """With all mirrored no child could be started: the kernel's limit is for all of it together."""
    volume.write(dict.fromkeys("AB", "x" * 70_000))
    first = (
        "import resource; _, most = resource.getrlimit(resource.RLIMIT_STACK); "
        "resource.setrlimit(resource.RLIMIT_STACK, (512 * 1024, most))"
    )
    done = run_process("doctor", volume.directory, first=first)
    finds(done, "ERROR    The environment is too large for a child process", "of 131,072")


def test_text_beyond_the_locale(volume: AtomicWriter) -> None:
    """Text that the process's locale cannot write is told, by the mirror's own reason."""
    volume.write({"A": "é"})
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run_process("doctor", volume.directory, environ=environ)
    finds(done, "WARNING  Not mirrored: not text in the locale", "Start the process in a UTF-8")


@pytest.mark.parametrize(("fail_on", "status"), [("note", 1), ("warning", 0), ("error", 0)])
def test_what_counts_as_found(fail_on: str, status: int, volume: AtomicWriter) -> None:
    """The exit status is 1 from a severity on that can be chosen, and a finding can be silenced."""
    volume.write({"a-b": "x"})
    assert run("doctor", "--fail-on", fail_on, volume.directory).status == status
    done = run("doctor", "--fail-on", "note", "--ignore", "not-a-variable", volume.directory)
    assert done.status == 0
    assert "All is fine." in done.out


@pytest.mark.parametrize("command", [["doctor"], ["check", "--settings", "myapp:settings"]])
def test_a_name_that_no_finding_has(command: list[str]) -> None:
    """The one that was meant is named, and where all are listed."""
    names = "Error: Invalid value for '--ignore': 'not-a-varable' is not the name of a finding; "
    told = run(*command, "--ignore", "not-a-varable")
    everywhere = "dynaconf-k8s-reload doctor --help lists them all"
    assert (told.status, told.err.splitlines()[-1]) == (
        2,
        f"{names}write not-a-variable; {everywhere}",
    )
    told = run(*command, "--ignore", "zzz")
    assert told.err.splitlines()[-1].endswith(f"of a finding; {everywhere}")
    assert set(NAMES) < set(re.split(r"[,\s]+", run("doctor", "--help").out))


def test_a_long_list_of_keys(volume: AtomicWriter) -> None:
    """Many keys of one finding are summed up on the screen; ``-v`` and JSON have every one."""
    volume.write({f"a-{n}": "" for n in range(2000)})
    assert "a-0, a-1, a-10" in run("doctor", volume.directory).out
    assert "a-1999" not in run("doctor", volume.directory).out
    assert "a-1999" in run("doctor", "-v", volume.directory).out
    (finding,) = json.loads(run("doctor", "--json", volume.directory).out)["findings"]
    assert finding["name"] == "not-a-variable"
    assert len(finding["keys"]) == 2000


# the machine


@pytest.mark.parametrize(
    ("first", "title", "words"),
    [
        ("namespaces.limit(instances=0, watches=9)", "No inotify instance is left", "instances"),
        ("namespaces.limit(instances=9, watches=0)", "No inotify watch is left", "watches on"),
        (
            "namespaces.limit(instances=10, watches=99); _ = [Inotify(Path()) for _ in range(9)]",
            "inotify is nearly used up",
            "max_user_instances on the node",
        ),
    ],
)
def test_inotify(first: str, title: str, words: str, volume: AtomicWriter) -> None:
    """Exhausted instances or watches are told with the figures and the limit to raise."""
    volume.write({"A": "1"})
    done = run_process("doctor", volume.directory, first=f"{ENTER}{first}")
    finds(done, f"WARNING  {title}", words, "This user's processes", "1 finding.")


# the application


def test_a_healthy_application(volume: AtomicWriter, examine: Examine) -> None:
    """Nothing is found, watched or printed into the screen, and no variable stays mirrored."""
    volume.write({"MYAPP_A": "1"})
    Path("look.py").write_text(
        "import atexit, os, threading\n"
        "def look():\n"
        "    names = [thread.name for thread in threading.enumerate()]\n"
        "    assert names == ['MainThread'], names\n"
        "    print('MYAPP_A' in os.environ, flush=True)\n"
        "atexit.register(look)\n"
    )
    module = (
        f"import look\nprint('noise'){SETTINGS.format(mount=volume.directory)}"
        "assert settings.A == 1\n"
    )
    done = examine(module, apart=True)
    assert done.status == 0, done.out + done.err
    assert "noise" not in done.out
    assert done.err == "noise\n"
    assert "All is fine." in done.out
    assert done.out.endswith("False\n")


def test_an_application_that_follows_nothing(examine: Examine) -> None:
    """Settings without any mount are an error, not a healthy application."""
    if os.path.lexists("/config"):
        pytest.skip("this machine has a /config")
    title = "ERROR    There is no mount to follow"
    module = SETTINGS.replace('    k8s_mounts=["{mount}"],\n', "")
    finds(examine(module), title, "k8s_mounts", "1 finding.")
    finds(examine(requiring("POOL", module)), title, "and no mount is followed.", "2 findings.")


def test_an_application_whose_settings_lack_the_prefix(
    volume: AtomicWriter, examine: Examine
) -> None:
    """It does not start for want of them; that they are there without the prefix is told."""
    volume.write({"POOL": "3"})
    done = examine(requiring("POOL", SETTINGS.format(mount=volume.directory)))
    finds(
        done, "ERROR    The settings cannot be loaded", "does not begin with MYAPP_.",
        "NOTE Keys without the application's prefix", "only names that begin with MYAPP_",
    )  # fmt: skip


def test_a_program_that_never_ends(volume: AtomicWriter, examine: Examine) -> None:
    """A module that goes on after it has made its settings is interrupted, and looked at."""
    volume.write({"MYAPP_A": "1"})
    module = (
        f"import os, threading\n{SETTINGS.format(mount=volume.directory)}"
        "settings.A, os.environ['MYAPP_A']\nthreading.Event().wait()"
    )
    done = examine(module)
    finds(done, "NOTE     The module never ends", '__name__ == "__main__"', "1 find")


def test_a_module_that_never_makes_its_settings(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import without an end is given up; no ``except Exception`` of the module hinders that."""
    monkeypatch.setattr("dynaconf_k8s_reload.cli.patience.IMPORT_SECONDS", 0.0)
    module = (
        "import time\n"
        "while True:\n"
        "    try:\n        time.sleep(60)\n    except Exception:\n        continue\n"
    )
    finds(examine(module), "ERROR    The settings cannot be loaded", "never ends, at ", "<module>")


def test_settings_that_never_load(
    volume: AtomicWriter, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YAML whose aliases multiply holds the command up for as long as its limit, not for ever."""
    monkeypatch.setattr("dynaconf_k8s_reload.cli.patience.LOADING_SECONDS", 0.0)
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    volume.write({"app.yaml": "\n".join(["a0: &a0 [1]", *lines]), "MYAPP_A": "1"})
    listed = f'settings_files=["{volume.directory}/app.yaml"], k8s_mounts='
    done = examine(SETTINGS.format(mount=volume.directory).replace("k8s_mounts=", listed))
    finds(done, "ERROR    The settings cannot be loaded", "takes more than 0 s", "YAML aliases")


def test_settings_that_take_a_while_to_load_are_waited_for() -> None:
    """A look at the clock within the limit interrupts nothing."""
    with loading_patience("app:settings"):
        signal.raise_signal(signal.SIGALRM)


def test_in_another_thread_an_import_has_no_limit(volume: AtomicWriter, examine: Examine) -> None:
    """Signals come to the main thread only; a command in another one does without."""
    volume.write({"MYAPP_A": "1"})
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(examine, SETTINGS.format(mount=volume.directory)).result()
    assert (done.status, "All is fine." in done.out) == (0, True), done


def test_where_flask_is_not_installed(volume: AtomicWriter, tmp_path: Path) -> None:
    """Settings are found all the same."""
    volume.write({"MYAPP_A": "1"})
    (tmp_path / "examined.py").write_text(SETTINGS.format(mount=volume.directory))
    done = run_process(
        "doctor", "--settings", "examined",
        first="sys.modules['flask'] = None", directory=tmp_path,
    )  # fmt: skip
    assert (done.status, "All is fine." in done.out) == (0, True), done


def test_settings_by_other_names(
    volume: AtomicWriter, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module's only settings need no name; of several, the one called ``settings`` is meant."""
    volume.write({"MYAPP_A": "1"})
    made = SETTINGS.format(mount=volume.directory)
    for module, status, message in [
        (made, 0, "All is fine."),
        (made.replace("settings =", "config ="), 0, "All is fine."),
        (f"{made}other = Dynaconf()\n", 0, "All is fine."),
        (f"{made}other = Dynaconf()\n".replace("settings =", "one ="), 2, "several settings obj"),
        ("x = 1", 2, "has no settings objects; write package.module:settings"),
    ]:
        done = examine(module, "--settings", "examined")
        assert done.status == status, done
        assert message in done.out + done.err


def test_the_loader_is_missing(volume: AtomicWriter, examine: Examine) -> None:
    """Settings that are loaded without this package do not follow a mount."""
    volume.write({"MYAPP_A": "1"})
    module = "from dynaconf import Dynaconf\nsettings = Dynaconf()\n"
    done = examine(module, volume.directory)
    finds(done, "ERROR    The loader is missing", 'loaders=["dynaconf_k8s_reload.loader"]')


def test_it_asks_the_checks_of_the_application(volume: AtomicWriter, examine: Examine) -> None:
    """What `check` and a reload would refuse is told with the check, the keys and the remedy."""
    volume.write({"MYAPP_A": "1", "MYAPP_POOL": "500"})
    module = (
        "from dynaconf_k8s_reload import get_reloader\n"
        f"{SETTINGS.format(mount=volume.directory)}"
        "@get_reloader(settings).on_validate\n"
        "def pool_fits(candidate, changes):\n"
        "    if candidate.POOL > 100:\n"
        "        raise ValueError('s3cret')\n"
    )
    done = examine(module)
    finds(
        done, "ERROR    A reload refuses what a start takes (refused-by-reload)",
        "the check pool_fits: ValueError at ", "in pool_fits, which reads POOL.",
        f"Correct POOL in the ConfigMap or Secret mounted at {volume.directory}; ",
        "check --settings examined:settings -f MANIFEST", "1 finding.",
    )  # fmt: skip
    volume.write({"MYAPP_A": "1", "MYAPP_POOL": "50"})
    assert "All is fine." in examine(module).out
    constant = "    if 'POOL' in changes:\n        raise ValueError\n"
    assert "All is fine." in examine(module + constant).out
    leaves = examine(module + "    raise SystemExit('s3cret')\n")
    finds(leaves, "ERROR    A reload refuses what a start takes", "SystemExit")


def test_a_check_of_the_application_that_never_ends(
    volume: AtomicWriter, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted, as a load is that never ends."""
    volume.write({"MYAPP_A": "1"})
    monkeypatch.setattr("dynaconf_k8s_reload.cli.patience.LOADING_SECONDS", 0.0)
    module = (
        "import threading\nfrom dynaconf_k8s_reload import get_reloader\n"
        f"{SETTINGS.format(mount=volume.directory)}"
        "@get_reloader(settings).on_validate\n"
        "def hangs(candidate, changes):\n    threading.Event().wait(60)\n"
    )
    finds(examine(module), "ERROR    A reload refuses what a start takes", "0 s, at ", "in hangs.")


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        (
            'validators=[Validator("A", gte=5)]',
            "Correct A in the ConfigMap or Secret mounted at ",
        ),
        (
            'validators=[Validator("B", must_exist=True)]',
            "Give B a value that is taken, in a mount, ",
        ),
        ('settings_files=["bad.toml"]', "bad.toml."),
        (
            "post_hooks=[lambda settings: 1 / 0]",
            "python -c 'from examined import settings; settings.get' shows the whole traceback",
        ),
    ],
)
def test_the_remedy_of_what_cannot_be_loaded(
    more: str, remedy: str, volume: AtomicWriter, examine: Examine
) -> None:
    """It says where to correct what, or what tells more."""
    volume.write({"MYAPP_A": "1", "app.toml": ""})  # nobody knows whether the file is listed
    Path("bad.toml").write_text("A = [s3cret")
    module = SETTINGS.format(mount=volume.directory).replace(
        "envvar_prefix", f"{more}, envvar_prefix"
    )
    module = module.replace("import Dynaconf", "import Dynaconf, Validator")
    finds(examine(module), "ERROR    The settings cannot be loaded", remedy, "1 finding.")


@pytest.mark.parametrize(
    ("loaders", "title"),
    [
        ("[]", "The loader is missing"),
        ('["dynaconf.loaders.env_loader"]', "The loader is missing"),
        ('["no.such"]', "The settings cannot be loaded"),
        (
            '["dynaconf_k8s_reload.loader", "dynaconf.loaders.env_loader"]',
            "env_loader beside the loader",
        ),
    ],
)
def test_a_variable_wins_over_the_list_of_loaders(
    loaders: str, title: str, volume: AtomicWriter, examine: Examine
) -> None:
    """So the remedy names the variable, and not the call, which is right as it is."""
    volume.write({"MYAPP_A": "1"})
    done = examine(SETTINGS.format(mount=volume.directory), LOADERS_FOR_DYNACONF=loaders)
    finds(done, f"ERROR    {title}", "LOADERS_FOR_DYNACONF", "1 finding.")
    assert "Dynaconf(" not in done.out


def test_what_is_refused_for_want_of_the_loader(volume: AtomicWriter, examine: Examine) -> None:
    """What the mount holds is not to be corrected there: the loader comes first."""
    volume.write({"DB__HOST": "x"})
    module = SETTINGS.format(mount=volume.directory).replace("import Dynaconf", "import *")
    must = 'validators=[Validator("DB.HOST", must_exist=True)], envvar_prefix'
    done = examine(module.replace("envvar_prefix", must), LOADERS_FOR_DYNACONF="[]")
    finds(done, "ERROR    The loader is missing", "LOADERS_FOR_DYNACONF", "Give DB.HOST a value")
    assert "The loader is missing" in done.out.partition("The settings cannot be loaded")[0]
    assert "Correct DB.HOST" not in done.out


def test_a_variable_that_names_the_loader(volume: AtomicWriter, examine: Examine) -> None:
    """It wins over another list, so the application is looked at as one that follows."""
    volume.write({"MYAPP_A": "1"})
    module = SETTINGS.format(mount=volume.directory)
    module = module.replace("dynaconf_k8s_reload.loader", "dynaconf.loaders.env_loader")
    module += "import threading\nassert (settings.A, threading.active_count()) == (1, 1)\n"
    ours = '["dynaconf_k8s_reload.loader"]'
    done = examine(module, apart=True, LOADERS_FOR_DYNACONF=ours)
    assert "All is fine." in done.out, done.out


def test_keys_without_the_prefix(volume: AtomicWriter, examine: Examine) -> None:
    """Keys that are no settings for want of the prefix are noted, however it came about."""
    volume.write({"MYAPP_A": "1", "MYAP_B": "s3cret", "DYNACONF_INCLUDE": "x"})
    made = SETTINGS.format(mount=volume.directory)
    done = examine(made, "--ignore", "reserved-name")
    title = "NOTE     Keys without the application's prefix"
    finds(done, title, ": MYAP_B; only", "begin with MYAPP_ are", "1 finding.")
    done = examine(made.replace("MYAPP", "MYAPP_"), "--ignore", "reserved-name")
    finds(done, title, ": MYAPP_A, MYAP_B; only", "begin with MYAPP__ are")
    made = made.replace("envvar_prefix", "k8s_prefixed_only=False, envvar_prefix")
    assert "All is fine." in examine(made, "--ignore", "reserved-name").out


def test_env_loader_beside(volume: AtomicWriter, examine: Examine) -> None:
    """Beside a mirroring mount env_loader is an error; beside others the environment wins."""
    volume.write({"MYAPP_A": "1", "MYAPP_B": "2"})
    both = 'loaders=["dynaconf.loaders.env_loader", "dynaconf_k8s_reload.loader"]'
    module = SETTINGS.format(mount=volume.directory).replace(
        'loaders=["dynaconf_k8s_reload.loader"]', both
    )
    done = examine(module)
    finds(done, "ERROR    env_loader beside the loader", "Take it out of the list")
    module = module.replace(both, f"{both}, k8s_mirror=False")
    done = examine(module, MYAPP_A="s3cret")
    finds(done, "WARNING  The environment shadows keys", "for MYAPP_A.", "1 finding.")
    done = examine(module)
    finds(done, "WARNING  The environment shadows keys")
    assert "Now it does so" not in done.out


def test_the_application_writes_a_variable(volume: AtomicWriter, examine: Examine) -> None:
    """A variable that importing the application changes is named."""
    volume.write({"MYAPP_A": "1"})
    module = f"import os\nos.environ['MYAPP_A'] = 's3cret'\n{SETTINGS}"
    done = examine(module.format(mount=volume.directory), apart=True)
    finds(done, "WARNING  The application writes variables", "changes MYAPP_A in", "1 finding.")


def test_restart_only_keys(volume: AtomicWriter, examine: Examine) -> None:
    """Keys of the mount that need a restart are named, by their setting."""
    volume.write({"MYAPP_DB__HOST": "x", "MYAPP_A": "1"})
    module = SETTINGS.format(mount=volume.directory)
    module = module.replace("envvar_prefix", 'k8s_restart_keys=["DB", "OTHER"],\nenvvar_prefix')
    done = examine(module)
    finds(done, "NOTE     Keys that take effect with a restart only", "DB.HOST.", "1 finding.")


def test_the_prefix_makes_names_collide(volume: AtomicWriter, examine: Examine) -> None:
    """A name with the application's prefix collides with the same one without."""
    volume.write({"MYAPP_LEVEL": "x", "LEVEL": "y"})
    done = examine(SETTINGS.format(mount=volume.directory))
    finds(done, "WARNING  Several keys name one setting", "LEVEL, MYAPP_LEVEL are all LEVEL,")


def test_names_that_the_application_s_separator_keeps_apart(
    volume: AtomicWriter, examine: Examine
) -> None:
    """What is nested by another separator only collides with nothing."""
    volume.write({"MYAPP_A__B": "flat", "MYAPP_A.B": "nested"})
    module = SETTINGS.format(mount=volume.directory)
    module = module.replace("envvar_prefix", 'nested_separator="___", envvar_prefix')
    done = examine(module)
    assert "Several keys name one setting" not in done.out


@pytest.mark.parametrize("files", ['["{path}"]', '"{path}"'])
def test_settings_files_in_the_mount(volume: AtomicWriter, examine: Examine, files: str) -> None:
    """A file in the mount that the application lists among its settings files is as it should be;
    and two keywords may be given where one is."""
    volume.write({"app.toml": "A = 1"})
    listed = files.format(path=volume.directory / "app.toml")
    module = SETTINGS.format(mount=volume.directory)
    module = module.replace("envvar_prefix", f"settings_files={listed},\nenvvar_prefix")
    done = examine(module)
    assert done.status == 0, done.out


def test_a_directory_that_is_not_read(
    volume: AtomicWriter, examine: Examine, tmp_path: Path
) -> None:
    """A directory that is none of the application's mounts is named."""
    volume.write({"MYAPP_A": "1"})
    AtomicWriter(tmp_path / "other").write({"MYAPP_B": "1"})
    module = SETTINGS.format(mount=volume.directory)
    done = examine(module, volume.directory, tmp_path / "other")
    finds(
        done,
        "ERROR    The application does not read a directory",
        f"{tmp_path / 'other'}: not among",
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("raise ValueError('s3cret')\nsettings = 0", "ValueError at"),
        ("raise SystemExit('s3cret')\nsettings = 0", "SystemExit at"),
        ("import no_such_module", "There is no module no_such_module, which"),
        ("settings = 's3cret'", "tr is not a settings object of dynaconf. Give what Dynaconf(...)"),
    ],
)
def test_settings_that_cannot_be_loaded(
    module: str, words: str, volume: AtomicWriter, examine: Examine
) -> None:
    """What the application raises is told by type and place only; our own errors in full."""
    volume.write({"A": "1"})
    done = examine(module, volume.directory)
    finds(done, "ERROR    The settings cannot be loaded", words)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("k8s_watch='perhaps'", "k8s_watch is not a boolean.\n         Write true or false."),
        ("k8s_last_good='cache'", "k8s_last_good is not an absolute directory."),
        ("k8s_mount='/config'", "k8s_mount is not an option of dynaconf-k8s-reload."),
    ],
)
def test_options_that_a_start_refuses(
    option: str, words: str, volume: AtomicWriter, examine: Examine
) -> None:
    """An option that ends a start is found, even one that looking would set itself."""
    volume.write({"MYAPP_A": "1"})
    made = SETTINGS.format(mount=volume.directory)
    done = examine(made.replace("envvar_prefix", f"{option}, envvar_prefix"))
    finds(done, "ERROR    The settings cannot be loaded", words, "1 finding.")


@pytest.mark.parametrize(
    "name", ["dynaconf_k8s_reload.loaders", "dynaconf-k8s-reload.loader", "ours.loader"]
)
def test_a_loader_that_does_not_exist(name: str, volume: AtomicWriter, examine: Examine) -> None:
    """A loader that is spelt wrong is named, with the right one."""
    made = SETTINGS.format(mount=volume.directory).replace("dynaconf_k8s_reload.loader", name)
    remedy = 'Write Dynaconf(loaders=["dynaconf_k8s_reload.loader"], ...).'
    finds(examine(made), f"There is no loader {name}.", remedy)


def test_loaders_that_are_not_a_list(examine: Examine) -> None:
    """The finding shows how to write a variable without brackets; dynaconf names a letter only."""
    made = "from dynaconf import Dynaconf\nsettings = Dynaconf()\n"
    done = examine(made, LOADERS_FOR_DYNACONF="dynaconf_k8s_reload.loader")
    remedy = """Write LOADERS_FOR_DYNACONF='["dynaconf_k8s_reload.loader"]'."""
    finds(done, "The loaders are not a list.", remedy)


def test_gevent(volume: AtomicWriter, examine: Examine) -> None:
    """An application that patches threads has no events."""
    pytest.importorskip("gevent")
    volume.write({"MYAPP_A": "1"})
    patch = "from gevent import monkey; monkey.patch_all()\n"
    done = examine(patch + SETTINGS.format(mount=volume.directory), apart=True)
    finds(done, "WARNING  gevent has replaced threads", "compared every second", "1 finding.")


# the last good content

KEEPS = """
from dynaconf import Dynaconf, Validator
settings = Dynaconf(
    envvar_prefix="MYAPP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=["{mount}"],
    k8s_last_good="{kept}",
    validators=[Validator("POOL", lt=10)],
)
"""


def test_what_a_start_would_fall_back_to(examine: Examine, tmp_path: Path) -> None:
    """Where a start would be refused it says what is served then, or why nothing can be."""
    volume = AtomicWriter(tmp_path / "config")
    kept = tmp_path / "kept"
    module = KEEPS.format(mount=volume.directory, kept=kept)
    volume.write({"MYAPP_POOL": "3"})
    assert examine(module).status == 0
    assert not kept.exists()
    volume.write({"MYAPP_POOL": "11"})
    finds(examine(module), "There is no last good content", f"{kept}: None was kept.")
    mounts = [Mount(str(volume.directory))]
    keep(str(kept), [read(mount) for mount in mounts])
    done = examine(module)
    finds(done, "The settings cannot be loaded", "POOL")
    assert "serves the last good content" in done.out
    volume.write({"MYAPP_POOL": "3"})
    assert "All is fine." in examine(module).out
    (file,) = kept.iterdir()
    file.write_bytes(b"damaged")
    finds(examine(module), "There is no last good content", "damaged")


def test_a_directory_that_keeps_nothing(examine: Examine, tmp_path: Path) -> None:
    """One that cannot be made or written is found before it is needed."""
    volume = AtomicWriter(tmp_path / "config")
    volume.write({"MYAPP_POOL": "3"})
    (tmp_path / "file").touch()
    module = KEEPS.format(mount=volume.directory, kept=tmp_path / "file" / "kept")
    finds(examine(module), "The last good content cannot be kept", "Mount an emptyDir there")
    assert examine(module.replace("k8s_last_good=", "k8s_last_goood=")).status == 1
