"""The mirror gives what this cluster's ``envFrom`` gives: odd names too, where it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import Mount, get_reloader
from dynaconf_k8s_reload._environ.rules import Decision, NotMirrored, decide
from dynaconf_k8s_reload._model.names import Names
from dynaconf_k8s_reload._model.options import Options
from dynaconf_k8s_reload._source.content import Payload
from dynaconf_k8s_reload._source.reading import read
from dynaconf_k8s_reload._watch import RENEWED_AFTER_FORK
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

ODD = {"MYAPP_LOG-LEVEL": "INFO", "server.port": "80", "2FA": "on"}


Boot = Callable[[str, str], None]


@pytest.fixture
def at_boot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Boot]:
    """Sets a variable that the process has from the start; it goes when the mirror has ended."""
    yield monkeypatch.setenv
    each: Any
    for each in list(RENEWED_AFTER_FORK):
        each.stop(restore=True)


def environ(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def test_odd_names_follow_where_envfrom_gives_them(volume: AtomicWriter, at_boot: Boot) -> None:
    """One odd variable of the mount in the process tells that it gets them: all of them follow."""
    at_boot("MYAPP_LOG-LEVEL", "INFO")
    volume.write(ODD)
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    assert environ(*ODD) == list(ODD.values())
    volume.write({"server.port": "81", "a-b.c": "new"})  # the name that told it is gone
    reloader.reload()
    assert environ(*ODD, "a-b.c") == [None, "81", None, "new"]
    assert settings["A-B.C"] == "new"
    assert not reloader.status().skipped
    volume.write({})
    reloader.reload()
    assert environ(*ODD, "a-b.c") == [None] * 4


def test_odd_names_are_skipped_where_envfrom_does_not_give_them(
    volume: AtomicWriter, at_boot: Boot
) -> None:
    """An old cluster gave the process none of them, so there are none, and what is new is none."""
    volume.write(ODD)
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    at_boot("X-Y", "of the process")
    volume.write({**ODD, "X-Y": "of the mount"})
    reloader.reload()
    assert environ(*ODD, "X-Y") == [None, None, None, "of the process"]
    assert set(reloader.status().skipped) == {*ODD, "X-Y"}


def test_a_mount_says_that_it_is_the_envfrom(volume: AtomicWriter) -> None:
    """``env_from=True`` needs no proof; what Kubernetes gives nobody stays out all the same."""
    for name in ("A=B", "größe", "tab\there", "fine name"):
        (volume.directory / name).write_text("x")  # a plain directory may have any name
    (volume.directory / "LOG-LEVEL").write_text("INFO")
    mount = Mount(str(volume.directory), env_from=True)
    reloader = get_reloader(make_settings(mount, k8s_watch=False))
    assert environ("LOG-LEVEL", "fine name") == ["INFO", "x"]
    assert reloader.status().skipped == dict.fromkeys(
        ("A=B", "größe", "tab\there"), NotMirrored.NO_IDENTIFIER.value
    )
    reloader.stop(restore=True)
    assert environ("LOG-LEVEL", "fine name") == [None, None]


def test_each_mount_by_itself(tmp_path: Path, at_boot: Boot) -> None:
    """Of two mounts, only that which is the ``envFrom`` gives its odd names."""
    at_boot("MYAPP_LOG-LEVEL", "INFO")
    for name, key in (("one", "MYAPP_LOG-LEVEL"), ("two", "server.port")):
        AtomicWriter(tmp_path / name).write({key: "x"})
    reloader = get_reloader(make_settings(tmp_path / "one", tmp_path / "two", k8s_watch=False))
    assert environ("MYAPP_LOG-LEVEL", "server.port") == ["x", None]
    assert set(reloader.status().skipped) == {"server.port"}


def decided(mount: Mount, process: Mapping[str, str], before: Any = None) -> tuple[Any, Decision]:
    payload = Payload([read(mount)])
    return payload, decide(payload, Options((mount,)), Names("MYAPP"), process.get, before)


RESERVED = "MYAPP_MODE_FOR_DYNACONF"


@pytest.mark.parametrize("env_from", [None, True])
def test_a_reserved_name_that_envfrom_would_bring(
    env_from: bool | None, volume: AtomicWriter
) -> None:
    """A change of what no mount may set, and the pod's ``envFrom`` does, waits for a restart."""
    process = {RESERVED: "production"}
    mount = Mount(str(volume.directory), env_from=env_from)
    texts = ["production", "staging", "production", None, "staging", "production"]
    waiting, before = [], None
    for text in texts:
        volume.write({} if text is None else {RESERVED: text, "A": "1"})
        before = decided(mount, process, before)
        waiting.append(before[1].restart)
    named = (RESERVED,)
    assert waiting == [(), named, (), named, named, ()]


@pytest.mark.parametrize(
    ("env_from", "process"), [(None, {}), (None, {RESERVED: "by hand"}), (False, {RESERVED: "x"})]
)
def test_a_reserved_name_that_nothing_brings(
    env_from: bool | None, process: dict[str, str], volume: AtomicWriter
) -> None:
    """Where the process has it otherwise, or not at all, a restart changes nothing."""
    mount = Mount(str(volume.directory), env_from=env_from)
    before = None
    for text in ("x", "y"):
        volume.write({RESERVED: text})
        before = decided(mount, process, before)
        assert before[1].restart == ()
        assert before[1].skipped == {RESERVED: NotMirrored.RESERVED}


def test_the_status_names_what_a_restart_would_bring(volume: AtomicWriter, at_boot: Boot) -> None:
    """A reserved name stands in ``restart_required`` while the process has it otherwise."""
    at_boot(RESERVED, "production")
    volume.write({RESERVED: "production"})
    reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
    for text, waiting in (("staging", (RESERVED,)), ("production", ()), ("test", (RESERVED,))):
        volume.write({RESERVED: text})
        reloader.reload()
        assert reloader.status().restart_required == waiting
        assert os.environ[RESERVED] == "production"


@pytest.mark.parametrize(
    ("fields", "boot", "shown"),
    [
        ({"secret": True}, "of the pod", "of the pod"),
        ({"mirror": False}, "of the pod", "of the pod"),
        ({"secret": True}, "of the mount", None),
        ({"mirror": False, "env_from": False}, "of the mount", "of the mount"),
    ],
)
def test_the_variable_under_a_key_that_is_never_mirrored(
    fields: dict[str, Any], boot: str, shown: str | None, volume: AtomicWriter, at_boot: Boot
) -> None:
    """When the key goes, the pod's own variable shows; what ``envFrom`` brought of it does not."""
    at_boot("MYAPP_TOKEN", boot)
    volume.write({"MYAPP_TOKEN": "of the mount"})
    mount = Mount(str(volume.directory), **{"env_from": True, **fields})
    settings = make_settings(mount, k8s_watch=False)
    assert settings.TOKEN == "of the mount"
    volume.write({})
    assert get_reloader(settings).reload().outcome == "applied"
    assert settings.get("TOKEN") == shown
    assert os.environ["MYAPP_TOKEN"] == boot
