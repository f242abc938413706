"""``show``: what is in a mount, and what becomes of each key."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from command import run, run_process, screens, short_directory
from dynaconf_k8s_reload._model.mount import Mount
from dynaconf_k8s_reload._source.fingerprint import Token
from dynaconf_k8s_reload._source.snapshot import Snapshot
from dynaconf_k8s_reload.cli.kinds import kind_of
from dynaconf_k8s_reload.cli.mounts import described
from dynaconf_k8s_reload.testing import AtomicWriter

PAYLOAD: dict[str, str | bytes] = {
    "MYAPP_POOL_SIZE": "3\n",
    "MYAPP_DEBUG": "true",
    "MYAPP_HOSTS": "['a', 'b']",
    "GREETING": "@format hello {env[USER]}",
    "PATH": "/somewhere",
    "DYNACONF_INCLUDE": "x.toml",
    "db.host": "s3cret\tin two\nlines",
    "sub/x": "1",
    "sub__x": "2",
    "app.toml": "a = 1\n",
    "LOGO": b"\x89PNG",
}


def test_screens() -> None:
    """A volume of every sort of key, without and with values, beside a Secret."""
    with short_directory() as directory:
        config, secret = directory / "config", directory / "secret"
        AtomicWriter(config).write(PAYLOAD)
        AtomicWriter(secret).write({"PASSWORD": "s3cret", "PORT": "1"})
        plain = screens("show", "show", config)
        values = screens("show-values", "show", "--values", config, secret, "--secret", secret)
    assert plain.status == values.status == 0
    assert "s3cret" not in plain.out


def test_a_plain_directory_and_an_empty_one(tmp_path: Path) -> None:
    """A directory that is no volume says so, and one without keys has no table."""
    AtomicWriter(tmp_path / "empty").write({})
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "KEY").write_text("x")
    done = run("show", tmp_path / "plain", tmp_path / "empty")
    assert done.status == 0
    assert "a plain directory, no Kubernetes volume\n  1 key, 1 byte, " in done.out
    assert "0 keys, 0 bytes" in done.out
    assert done.out.count("VARIABLE") == 1


def test_an_absent_directory(volume: AtomicWriter, tmp_path: Path) -> None:
    """What is absent is named, after what is there has been shown."""
    volume.write({"KEY": "x"})
    done = run("show", tmp_path / "nowhere", volume.directory)
    assert done.status == 2
    assert "KEY" in done.out
    assert done.err == f"Error: absent: {tmp_path / 'nowhere'}\n"


def test_without_a_directory() -> None:
    """A directory must be given."""
    assert "Give at least one directory" in run("show").err


def test_what_cannot_be_read(volume: AtomicWriter) -> None:
    """A volume that cannot be read is an error that names the key and the remedy."""
    volume.write({"HUGE": "s3cret" * 200_000})
    done = run("show", "--values", volume.directory)
    assert done.status == 2
    assert "HUGE is larger than 1 MiB" in done.err
    assert "s3cret" not in done.out + done.err


def test_a_volume_in_memory_is_taken_for_a_secret(tmp_path: Path) -> None:
    """The kubelet keeps Secrets in memory: no value of such a volume is shown, asked for or not."""
    first = (
        f"namespaces.enter(); namespaces.mount_tmpfs({str(tmp_path)!r})\n"
        "from dynaconf_k8s_reload.testing import AtomicWriter\n"
        f"AtomicWriter({str(tmp_path)!r}).write({{'PASSWORD': 's3cret', 'NUMBER': '42'}})\n"
    )
    writable = run_process("show", "--values", tmp_path, first=first)
    assert "s3cret" in writable.out  # an emptyDir in memory is not a Secret
    read_only = f"{first}namespaces.make_read_only({str(tmp_path)!r})"
    done = run_process("show", "--values", tmp_path, first=read_only)
    assert done.status == 0
    assert "PASSWORD" in done.out
    assert "taken for a Secret" in done.out
    assert "s3cret" not in done.out


def test_a_long_listing_is_summed_up(volume: AtomicWriter) -> None:
    """Thousands of keys are a line for each kind of them; ``-v`` and JSON have every one."""
    volume.write({f"KEY_{n}": str(n) for n in range(5000)} | {"a-b": "x"})
    done = run("show", volume.directory)
    assert len(done.out.splitlines()) < 12
    assert "5,000" in done.out
    assert "KEY_0, KEY_1, KEY_10 and 4,997 more" in done.out
    assert "a-b" in done.out
    assert "KEY_4999 " in run("show", "-v", volume.directory).out
    (mount,) = json.loads(run("show", "--json", volume.directory).out)
    assert len(mount["keys"]) == 5001
    assert {"key": "a-b", "bytes": 1, "type": "str", "variable": None} | mount["keys"][-1] == (
        mount["keys"][-1]
    )


@pytest.mark.parametrize("command", ["show", "doctor", "watch", "apply --delete"])
def test_an_empty_name(command: str) -> None:
    """An empty name, as of a shell's unset variable, is an error and no directory."""
    done = run(*command.split(), "")
    assert done.status == 2
    assert "is empty; give one" in done.err


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("text", "str"),
        ("42", "int"),
        ("42\n", "int"),
        ("a\nb\n", "str"),
        ("1.5", "float"),
        ("True", "bool"),
        ("[1, 2]", "list"),
        ("{a = 1}", "dict"),
        ("@int 42", "int"),
        ("@int s3cret", "@int fails"),
        ("@merge a=1", "@merge"),
        ("@jinja {{ 1 }}", "@jinja"),
    ],
)
def test_kind(text: str, kind: str) -> None:
    """The type is what dynaconf makes of the text; a token that acts later is named."""
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, "0 seconds"), (1, "1 second"), (150, "2 minutes"), (7200, "2 hours"), (1e6, "11 days")],
)
def test_age(seconds: float, age: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An age is told in its largest unit."""
    monkeypatch.setattr("time.time", lambda: 1e9)
    snapshot = Snapshot(Mount("/config"), Token(), present=True, committed_at=1e9 - seconds)
    assert f"written {age} ago" in " ".join(described(snapshot))


def test_the_same_directory_twice(volume: AtomicWriter) -> None:
    """A directory is shown once, however often and by whatever path it is named."""
    volume.write({"KEY": "s3cret"})
    relative = os.path.relpath(volume.directory)
    done = run("show", "--values", volume.directory, relative, "--secret", relative)
    assert done.out.count("VARIABLE") == 1
    assert "s3cret" not in done.out
