"""``watch``: each change of a mount as it comes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from command import STYLE, approved, made, run, running, short_directory
from dynaconf_k8s_reload._model.mount import Mount
from dynaconf_k8s_reload.cli.watch import Followed
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually


@pytest.mark.parametrize(
    ("name", "options", "environ"),
    [
        ("piped", (), {}),
        ("80", (), {"FORCE_COLOR": "1", "COLUMNS": "80"}),
        ("200", (), {"FORCE_COLOR": "1", "COLUMNS": "200"}),
        ("values", ("--values",), {}),
        ("json", ("--json", "--values"), {}),
    ],
)
def test_screens(
    name: str,
    options: tuple[str, ...],
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Changes of a ConfigMap and of a Secret: keys, at each width, then values, then JSON."""
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)
    with short_directory() as directory:
        config = AtomicWriter(directory / "config")
        secret = AtomicWriter(directory / "secret")
        config.write({"LEVEL": "INFO", "OLD": "x", "app.toml": "a = 1"})
        secret.write({"PASSWORD": "old"})
        arguments = (*options, config.directory, "--secret", secret.directory)
        with running("watch", *arguments, directory=directory) as command:
            command.says("secret, 1 key; Ctrl-C ends it.")
            config.write({"LEVEL": "a\nb", "app.toml": "a = 2", "LOGO": b"\xff"})
            command.shows("app.toml")
            secret.write({"PASSWORD": "s3cret"})
            command.shows("PASSWORD")
            assert command.end(signal.SIGINT) == 0
            screen = STYLE.sub("", command.out)
            assert "Traceback" not in command.err
            assert "s3cret" not in command.out
    approved(f"watch-{name}", screen, int(environ["COLUMNS"]) if environ else None)


def test_many_changes_are_summed_up(volume: AtomicWriter, tmp_path: Path) -> None:
    """A line for each kind, however many keys, unless all are asked for."""
    volume.write({"A": "0"})
    many = {f"K{number}": "x" for number in range(60)}
    with (
        running("watch", volume.directory, directory=made(tmp_path / "sums")) as sums,
        running("watch", "-v", volume.directory, directory=made(tmp_path / "all")) as everything,
    ):
        for command in (sums, everything):
            command.says("Ctrl-C ends it")
        volume.write(many)
        sums.shows("  added     60 keys (-v lists all): K0, K1, K10 and 57 more\n")
        sums.shows("  removed   1 key (-v lists all): A\n")
        everything.shows("+ K59\n")
        assert sums.out.count("\n") == 3


def test_json_is_one_line_each(volume: AtomicWriter, tmp_path: Path) -> None:
    """Each line is an object, complete when the writer's next commit comes."""
    volume.write({"A": "0"})
    with running("watch", "--json", volume.directory, directory=tmp_path) as command:
        command.says("Ctrl-C ends it")
        for number in range(1, 4):
            volume.write({"A": str(number)})
            eventually(partial(lambda lines: command.out.count("\n") == lines, number), 20)
        lines = [json.loads(line) for line in command.out.splitlines()]
        assert command.end() == 0
    assert {line["mount"] for line in lines} == {str(volume.directory)}
    assert len({line["generation"] for line in lines}) == 3
    assert all(0 <= line["lag"] < 60 for line in lines)
    assert lines[0]["changes"] == [{"key": "A", "kind": "modified"}]


def test_an_absent_directory_is_waited_for(tmp_path: Path) -> None:
    """A directory that is not there yet, goes and returns is reported and followed."""
    mount = tmp_path / "config"
    with running("watch", mount, directory=tmp_path) as command:
        command.shows("config: absent; waiting for it")
        AtomicWriter(mount).write({"A": "1"})
        command.shows("+ A")
        shutil.rmtree(mount)
        command.shows("the directory is gone; its last good content is kept")
        AtomicWriter(mount).write({"A": "2"})
        command.shows("~ A")
        assert command.end() == 0


def test_what_cannot_be_read_is_reported_once(volume: AtomicWriter) -> None:
    """A file that is too large is a problem, told once; what comes after it is a change again."""
    volume.write({"A": "1"})
    followed = Followed(Mount(str(volume.directory)))
    assert followed.token.error
    assert followed.look() is None
    assert followed.look() is None
    volume.write({"A": "x" * (1024 * 1024 + 1)})
    seen: Any = followed.look()
    assert seen.problem.startswith("A is larger than 1 MiB")
    assert followed.look() is None
    volume.write({"A": "2"})
    again: Any = followed.look()
    assert [(change.key, change.old, change.new) for change in again.changes] == [("A", b"1", b"2")]


def test_a_mount_that_was_never_readable(volume: AtomicWriter) -> None:
    """If not even the first content could be read, the first that can be is what was there."""
    volume.write({"A": "x" * (1024 * 1024 + 1)})
    followed = Followed(Mount(str(volume.directory)))
    seen: Any = followed.look()
    assert "larger than 1 MiB" in seen.problem
    assert followed.files == {}
    volume.write({"A": "2"})
    assert followed.look() is None
    assert followed.files == {"A": b"2"}


def test_without_a_directory() -> None:
    """A directory must be given."""
    assert "Give at least one directory" in run("watch").err


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_goes(volume: AtomicWriter, options: list[str]) -> None:
    """Where the output is closed, as by ``head -1``, it ends without a traceback."""
    volume.write({"A": "0"})
    process = subprocess.Popen(
        [sys.executable, "-m", "dynaconf_k8s_reload", "watch", *options, volume.directory],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    assert process.stderr
    assert "Ctrl-C ends it" in process.stderr.readline()
    process.stdout.close()
    numbers = iter(range(1, 1000))

    def ended() -> bool:
        volume.write({"A": str(next(numbers))})
        return process.poll() is not None

    eventually(ended, 20)
    errors = process.stderr.read()
    process.stderr.close()
    assert "Traceback" not in errors
