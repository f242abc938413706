"""``manage.py``: the system checks, the command, and ``runserver`` with its autoreloader."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from django_project import PROJECT, Project, environment, manage
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import free_port
from support import eventually

pytest.importorskip("django", reason="Django is not installed")

SECRET = "sesame-of-this-test"
MESSAGES = "[each.id[-4:] + ' ' + each.msg + ' ' + each.hint for each in check()]"
CHECK = "from dynaconf_k8s_reload.django.checks import check_mounts as check"


def test_the_checks_find_nothing_in_good_order(volume: AtomicWriter) -> None:
    """A mount of prefixed names that take effect at once needs no word."""
    volume.write({"DJANGO_DEBUG": "false", "FOREIGN": "1"})
    with Project(volume.directory) as project:
        project.do(CHECK)
        assert project(MESSAGES) == []


def test_the_checks_explain_what_a_restart_alone_changes(volume: AtomicWriter) -> None:
    """They name the key that Django reads once, and Django's names that carry no prefix."""
    volume.write(
        {
            "DJANGO_DATABASES__default__PASSWORD": SECRET,
            "DEBUG": "true",
            "DYNACONF_TIME_ZONE": "UTC",
            "OTHER": SECRET,
        }
    )
    with Project(volume.directory, k8s_prefixed_only=False) as project:
        project.do(CHECK)
        debug, databases, zone = sorted(project(MESSAGES), key=lambda text: "DATA" in text)[:3]
        found = project(MESSAGES)
        assert [message[:4] for message in found] == ["W003", "W004", "W003"]
        assert "DATABASES, which Django reads once" in found[0]
        assert "DEBUG without the application's prefix" in found[1]
        assert "TIME_ZONE" in found[2]
        assert not any(SECRET in message for message in found)
        assert {debug, databases, zone} == set(found)
    with Project(volume.directory, k8s_prefixed_only=True) as project:
        project.do(CHECK)
        assert [message[:4] for message in project(MESSAGES)] == ["W003", "W003"]


@pytest.mark.parametrize("separator", [".", "___"])
def test_the_checks_see_a_setting_by_any_separator(volume: AtomicWriter, separator: str) -> None:
    """A nested key is told as the loader takes it, with dots or with the project's separator."""
    key = separator.join(["DJANGO_DATABASES", "default", "CONN_MAX_AGE"])
    volume.write({key: "5"})
    options: dict[str, Any] = {"k8s_mirror": False}
    if separator != ".":
        options["nested_separator"] = separator
    with Project(volume.directory, **options) as project:
        project.do(CHECK)
        assert project("settings.DATABASES['default']['CONN_MAX_AGE']") == 5
        assert [message[:4] for message in project(MESSAGES)] == ["W003"]


def test_the_checks_name_an_absent_mount(tmp_path: Path) -> None:
    """A directory that is not there is named, and so is that none is given."""
    with Project(tmp_path / "later") as project:
        project.do(CHECK)
        assert project(MESSAGES)[0].startswith(f"W001 The mount {tmp_path}/later is not there.")
        assert "later is absent; mount the ConfigMap there" in project.finish()[1]
    with Project() as project:
        project.do(CHECK)
        assert project(MESSAGES)[0].startswith("W001 There is no mount")
        assert "no mount is followed" in project.finish()[1]


def test_the_checks_name_the_loaders(volume: AtomicWriter) -> None:
    """``env_loader`` beside the loader is a warning, the loader missing an error."""
    volume.write({"DJANGO_FIRST": "1"})
    beside = ["dynaconf_k8s_reload.loader", "dynaconf.loaders.env_loader"]
    with Project(volume.directory, loaders=beside, k8s_mirror=False) as project:
        project.do(CHECK)
        assert [message[:4] for message in project(MESSAGES)] == ["W002"]
    alone = environment(volume.directory, loaders=["dynaconf.loaders.env_loader"])
    run = manage("k8s_reload", "check", variables=alone, expect=1)
    assert "(dynaconf_k8s_reload.E001)" in run.stderr
    assert "HINT: End the settings module with DjangoDynaconf" in run.stderr
    assert """LOADERS_FOR_DYNACONF='["dynaconf_k8s_reload.loader"]'.""" in run.stderr
    run = manage("k8s_reload", variables=alone, expect=1)
    assert run.stderr.startswith("CommandError: these settings are not loaded")


def test_the_command_shows_names_only(volume: AtomicWriter) -> None:
    """Status is JSON, check the checks, diff the kinds; none shows a value."""
    volume.write(
        {
            "DJANGO_KEPT": "same",
            "DJANGO_CHANGED": SECRET,
            "DJANGO_ADDED": SECRET,
            "DJANGO_DATABASES": "{}",
            "FOREIGN": SECRET,
        }
    )
    variables = {
        **environment(volume.directory),
        "DJANGO_KEPT": "same",
        "DJANGO_CHANGED": "before",
        "DJANGO_GONE": SECRET,
    }
    status = manage("k8s_reload", variables=variables)
    told = json.loads(status.stdout)
    assert told["mounts"][0]["keys"] == 5
    assert told["process"].startswith("the fresh process ")
    check = manage("k8s_reload", "check", variables=variables)
    assert "(dynaconf_k8s_reload.W003)" in check.stderr
    diff = manage("k8s_reload", "diff", variables=variables)
    assert diff.stdout.split() == [
        *("added", "DJANGO_ADDED", "modified", "DJANGO_CHANGED", "added", "DJANGO_DATABASES"),
        *("environment", "only", "DJANGO_GONE", "added", "FOREIGN"),
    ]
    assert SECRET not in "".join(run.stdout + run.stderr for run in (status, check, diff))


def test_the_command_exits_as_a_probe_would(volume: AtomicWriter) -> None:
    """Its exit code is 1 where the view would answer 503, such as for a restart that is due."""
    volume.write({"DJANGO_POOL": "1"})
    options: dict[str, Any] = {"k8s_restart_keys": ["POOL"], "k8s_restart_503": True}
    with Project(volume.directory, **options) as project:
        project.do("import io\nfrom django.core.management import call_command\n")
        project.do("out = io.StringIO()\ncall_command('k8s_reload', stdout=out)")
        volume.write({"DJANGO_POOL": "2"})
        project.eventually("settings.POOL", 2)
        project.do(
            "try:\n    call_command('k8s_reload', stdout=out)\n"
            "except SystemExit as end:\n    code = end.code"
        )
        assert project("code") == 1
        assert project("out.getvalue()").count('"restart_required"') == 2


def test_the_command_ends_with_a_line_where_content_is_refused(volume: AtomicWriter) -> None:
    """What an application starting now would raise is told without a traceback and a value."""
    volume.write({"DJANGO_POOL": f"@int {SECRET}"})
    run = manage("k8s_reload", variables=environment(volume.directory), expect=1)
    assert run.stderr.startswith("the settings cannot be loaded: DJANGO_POOL of ")
    assert "Traceback" not in run.stderr
    assert SECRET not in run.stderr


def test_several_keys_nested_in_one_setting(volume: AtomicWriter) -> None:
    """Each of them is told, in the order of the keys."""
    names = ("DJANGO_DATABASES__default__HOST", "DJANGO_DATABASES__default__NAME")
    volume.write(dict.fromkeys(names, "x"))
    with Project(volume.directory) as project:
        project.do(CHECK)
        host, name = project(MESSAGES)
        assert names[0] in host
        assert names[1] in name


def test_the_command_finds_no_difference(volume: AtomicWriter) -> None:
    """Right after the start of a pod, ``envFrom`` and mount agree; without a prefix too."""
    volume.write({"KEPT": "same"})
    for prefix in ("DJANGO", False):
        variables = environment(volume.directory, envvar_prefix=prefix) | {"KEPT": "same"}
        run = manage("k8s_reload", "diff", variables=variables)
        assert run.stdout == "The mounts hold what the environment has.\n"


@contextmanager
def runserver(volume: AtomicWriter, log: Path, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run Django's development server; give the process's id and the port."""
    with free_port() as port, log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, PROJECT / "manage.py", "runserver", f"127.0.0.1:{port}"),
                *arguments,
            ],
            env=environment(volume.directory, DEBUG=True),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process.pid, port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def get(port: int) -> dict[str, object]:
    """Ask for the pair; nothing while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        answer: dict[str, object] = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return answer


def threads(pid: int) -> int:
    """Count a process's threads."""
    return len(os.listdir(f"/proc/{pid}/task"))


def inotifies(pid: int) -> int:
    """Count what a process watches with."""
    links = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            continue
    return sum("inotify" in link for link in links)


def variables_of(pid: int) -> dict[str, str]:
    """The variables that a process was started with."""
    text = Path(f"/proc/{pid}/environ").read_text()
    return dict(each.split("=", 1) for each in text.split("\0") if each)


@pytest.mark.parametrize("arguments", [(), ("--noreload",)], ids=["autoreload", "noreload"])
def test_runserver_follows_and_does_not_restart(
    volume: AtomicWriter, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """One process watches, the server; it serves the new values and is never started again."""
    log = tmp_path / "log"
    volume.write({"DJANGO_FIRST": "1", "DJANGO_SECOND": "1"})
    with runserver(volume, log, *arguments) as (pid, port):
        eventually(lambda: get(port).get("pair") == [1, 1], 60, else_show=log.read_text)
        server = get(port)["pid"]
        assert isinstance(server, int)
        assert (server == pid) == bool(arguments)
        eventually(lambda: inotifies(server) == 1)  # which the watching thread makes
        if not arguments:
            assert (threads(pid), inotifies(pid)) == (1, 0)
            assert "DJANGO_FIRST" not in variables_of(server)
        for number in (2, 3):
            volume.write({"DJANGO_FIRST": str(number), "DJANGO_SECOND": str(number)})
            eventually(lambda n=number: get(port).get("pair") == [n, n], 60)  # type: ignore[misc] # reason: mypy knows no lambda with a default
        assert get(port)["pid"] == server
    assert "Traceback" not in log.read_text()
