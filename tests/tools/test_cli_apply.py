"""``apply``: manifests of every shape, Kubernetes' limits in its wording, and following edits."""

from __future__ import annotations

import json
import os
import signal
from base64 import b64encode
from contextlib import suppress
from errno import EACCES
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from command import WIDTHS, Done, approved, run, running, short_directory
from dynaconf_k8s_reload.cli.apply import documents
from dynaconf_k8s_reload.cli.apply.manifests import parse
from dynaconf_k8s_reload.cli.apply.volume import ManifestError
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually

HEAD = "kind: ConfigMap\nmetadata: {name: app}\n"
KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', "
    " or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    return tmp_path / "config"


def held(mount: Path) -> dict[str, bytes]:
    return AtomicWriter(mount).payload


def apply(text: str, mount: Path, *arguments: object) -> Done:
    return run("apply", "-f", "-", mount, *arguments, given=text)


@pytest.mark.parametrize("columns", [None, *WIDTHS])
def test_screens(columns: int | None) -> None:
    """The first writing, a change, no change and a fault, as a person sees them."""
    with short_directory() as directory:
        manifest = directory / "app.yaml"
        done = []
        for data in (
            "LOG_LEVEL: INFO, OLD: x",
            "LOG_LEVEL: s3cret, NEW: y",
            "LOG_LEVEL: s3cret, NEW: y",
            ", ".join(f"K{number}: x" for number in range(60)),
            "a b: s3cret, PORT: 8080",
        ):
            manifest.write_text(f"{HEAD}data: {{{data}}}\n")
            done.append(run("apply", "-f", manifest, directory / "config", columns=columns))
    assert [each.status for each in done] == [0, 0, 0, 0, 2]
    shown = "".join(each.out for each in done)
    approved(f"apply-{columns or 'piped'}", shown, columns)
    approved("apply-refused", done[-1].err)
    assert "s3cret" not in shown + done[-1].err


def test_all_of_many_changes(mount: Path) -> None:
    """With ``-v`` each of many changes has its line."""
    data = ", ".join(f"K{number}: x" for number in range(60))
    assert apply(f"{HEAD}data: {{{data}}}", mount, "-v").out.count("added") == 60


def test_a_directory_that_may_not_be_read(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by its name, whoever runs the command."""

    def refuse(_: object) -> None:
        raise PermissionError(EACCES, "Permission denied")

    mount.mkdir()
    monkeypatch.setattr("os.listdir", refuse)
    done = apply(f"{HEAD}data: {{A: x}}", mount)
    assert (done.status, done.err) == (2, f"Error: {mount}: Permission denied\n")


def test_it_is_a_volume(mount: Path) -> None:
    """What is written is what the kubelet would have written."""
    assert apply(f"{HEAD}data: {{A: one}}\n", mount).status == 0
    assert os.readlink(mount / "A") == "..data/A"
    assert held(mount) == {"A": b"one"}


def test_data_of_every_kind(mount: Path) -> None:
    """Text, base64, nothing, a date, a time and a number as a key are what Kubernetes makes."""
    text = (
        "kind: ConfigMap\nmetadata: {name: app, labels: &shared {MERGED: x}}\n"
        "data: {<<: *shared, T: 'x', EMPTY: , DAY: 2026-01-02, AT: 12:30, SECONDS: 12:30.5, "
        "1: one, yes: yes!}\nbinaryData:\n  BIN: |\n    /wD/\n    /w==\nimmutable: true\n"
    )
    assert apply(text, mount).status == 0
    assert held(mount) == {
        "MERGED": b"x",
        "T": b"x",
        "EMPTY": b"",
        "DAY": b"2026-01-02",
        "AT": b"12:30",
        "SECONDS": b"12:30.5",
        "1": b"one",
        "true": b"yes!",
        "BIN": b"\xff\x00\xff\xff",
    }


def test_a_secret(mount: Path) -> None:
    """A Secret's data are base64, and its stringData beat them."""
    text = (
        "kind: Secret\ntype: Opaque\nmetadata: {name: s}\n"
        f"data: {{A: {b64encode(b'old').decode()}, B: eA==}}\nstringData: {{A: new}}\n"
    )
    done = apply(text, mount, "--mode", "0400")
    assert done.out.startswith("secret/s: 2 keys, 4 bytes\n")
    assert held(mount) == {"A": b"new", "B": b"x"}
    assert os.stat(mount / "A").st_mode & 0o777 == 0o400


def test_what_came_of_a_secret(mount: Path) -> None:
    """No value of a volume that a Secret went into is shown, asked for or not."""
    secret = "kind: Secret\nmetadata: {name: s}\nstringData: {A: s3cret}\n"
    assert apply(secret, mount).status == 0
    done = run("show", "--values", mount)
    assert "s3cret" not in done.out
    assert "taken for a Secret" in done.out
    assert apply(f"{HEAD}data: {{A: plain}}\n", mount).status == 0
    assert "plain" in run("show", "--values", mount).out


def test_several_documents_lists_and_files(mount: Path, tmp_path: Path) -> None:
    """Documents, the items of lists and files add up; the last counts, other kinds are skipped."""
    tabbed = json.dumps(
        {
            "kind": "List",
            "items": [{"kind": "ConfigMap", "metadata": {"name": "l"}, "data": {"L": "1"}}],
        },
        indent="\t",
    )
    (tmp_path / "list.json").write_text(tabbed)
    (tmp_path / "typed.yaml").write_bytes(
        b"\xef\xbb\xbfkind: ConfigMapList\nitems: [{metadata: {name: t}, data: {T: '1'}}]\n"
    )
    (tmp_path / "more.yaml").write_text(
        f"{HEAD}data: {{A: one, B: one}}\n---\nkind: Deployment\n---\n\n---\n"
        f"{HEAD}data: {{B: two}}\n"
    )
    files = [f"--filename={tmp_path / name}" for name in ("list.json", "typed.yaml", "more.yaml")]
    assert run("apply", *files, mount).status == 0
    assert held(mount) == {"L": b"1", "T": b"1", "A": b"one", "B": b"two"}


def test_items(mount: Path) -> None:
    """With items only the listed keys are written, each at its path."""
    text = f"{HEAD}data: {{A: one, B: two, C: three}}\n"
    done = apply(text, mount, "--items", "A=conf/a.txt", "--items", "B=B")
    assert done.status == 0
    assert held(mount) == {"conf/a.txt": b"one", "B": b"two"}


def test_delete(mount: Path) -> None:
    """A deleted optional ConfigMap leaves an empty volume."""
    apply(f"{HEAD}data: {{A: one}}\n", mount)
    done = run("apply", "--delete", mount)
    assert done.status == 0
    assert done.out.splitlines()[0] == "  removed   A"
    assert held(mount) == {}
    assert (mount / "..data").is_symlink()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEAD}data: {{a b: x}}", f'data[a b]: Invalid value: "a b": {KEY_RULE}'),
        (f"{HEAD}data: {{'': x}}", f'data[]: Invalid value: "": {KEY_RULE}'),
        (f"{HEAD}data: {{..a: x}}", "data[..a]: Invalid value: \"..a\": must not start with '..'"),
        (f"{HEAD}data: {{..: x}}", "data[..]: Invalid value: \"..\": must not be '..'"),
        (f"{HEAD}data: {{.: x}}", "data[.]: Invalid value: \".\": must not be '.'"),
        (f"{HEAD}data: {{{'k' * 254}: x}}", ": must be no more than 253 characters"),
        (
            f"{HEAD}data: {{A: {'x' * 1024 * 1024}, B: x}}",
            'The ConfigMap "app" is invalid: []: Too long: must have at most 1048576 bytes',
        ),
        (
            "kind: ConfigMap\nmetadata: {name: My_App}",
            'metadata.name: Invalid value: "My_App": a lowercase RFC 1123 subdomain must consist',
        ),
        (
            "kind: ConfigMap\ndata: {A: x}",
            'The ConfigMap "" is invalid: metadata.name: Required value: name or generateName is',
        ),
        (
            f"{HEAD}data: {{PORT: 8080}}",
            "cannot unmarshal number into Go struct field ConfigMap.data of type string; quote it",
        ),
        (f"{HEAD}data: {{A: yes}}", "cannot unmarshal bool into"),
        (f"{HEAD}data: {{A: 0.5}}", "cannot unmarshal number into"),
        (f"{HEAD}data: {{A: [s3cret]}}", "data[A]: json: cannot unmarshal array into"),
        (f"{HEAD}data: {{A: !!binary czNjcmV0}}", "data[A]: json: cannot unmarshal object into"),
        (f"{HEAD}data: s3cret", "data: json: cannot unmarshal string into Go struct field"),
        (f"{HEAD}stringData: {{}}", 'strict decoding error: unknown field "stringData"'),
        (f"{HEAD}binaryData: {{A: s3cret!}}", "binaryData[A]: illegal base64 data"),
        (
            f"{HEAD}data: {{A: x}}\nbinaryData: {{A: eA==}}",
            'data[A]: Invalid value: "A": duplicate of key in binaryData',
        ),
        ('{"kind": "Deployment"}', "standard input: a Deployment, no ConfigMap and no Secret"),
        ("", "standard input: nothing, no ConfigMap and no Secret"),
        (
            "kind: Pod\n---\nkind: Ingress\n---\nkind: Pod",
            "standard input: a Pod, an Ingress, no ConfigMap and no Secret",
        ),
        ("\n---\n".join(f"kind: K{n}" for n in range(9)), "a K0, a K1, a K2, a K3, a K4, …, no"),
        ("kind: [s3cret]", "kind: json: cannot unmarshal array into type string"),
        ("kind: {s3cret: 1}", "kind: json: cannot unmarshal object into type string"),
        ("kind: 5", "kind: json: cannot unmarshal number into type string"),
        ("kind: List\nitems: 5", "items: json: cannot unmarshal number into type array"),
        ("kind: List\nitems: s3cret", "items: json: cannot unmarshal string into type array"),
        ("&a\nkind: List\nitems: [*a]", "the value of an anchor contains itself"),
        (f"{HEAD}data: {{A: {'9' * 5000}}}", "data[A]: json: cannot unmarshal number into"),
        (f"{HEAD}data: {{A: 0x_}}", "data[A]: json: cannot unmarshal number into"),
        ('{"a":' * 100_000, "standard input: it is nested too deeply"),
        ("[" * 100_000, "standard input: "),
        ("data: {A: x}", "standard input: Object 'Kind' is missing; write kind: ConfigMap"),
        ("s3cret", "standard input: a document is not an object; it begins with apiVersion: v1"),
        ("kind: List\nitems: [s3cret]", "standard input: a document is not an object"),
        (
            f"{HEAD}data:\n  A: *s3cret",
            "standard input: line 4: error parsing: found undefined ali",
        ),
        (f"{HEAD}data:\n  A: !s3cret x", "standard input: line 4: error parsing: could not determ"),
        (f"{HEAD}data:\n  A: s\n  A: s3cret", 'line 5: error parsing: key "A" already set in map'),
        ("a\x01b", "standard input: error parsing: "),
        ('{"kind": s3cret', "error parsing: did not find expected ',' or '}'"),
        ("{{a: b}: s3cret}", "standard input: line 1: error parsing: found unhashable key"),
    ],
)
def test_what_kubernetes_refuses(text: str, message: str, mount: Path) -> None:
    """What is invalid is refused in Kubernetes' words, and nothing at all is written."""
    is_whole = text.startswith(("{", "[")) or "ConfigMap" not in text
    more = "" if is_whole else f"\n---\n{HEAD}data: {{A: one}}\n"
    done = apply(f"{text}{more}", mount)
    assert done.status == 2
    assert message in done.err
    assert "s3cret" not in done.err
    assert not mount.exists()


def test_what_is_too_deep_without_libyaml(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own parser has no limit to the depth; there is one all the same."""
    monkeypatch.setattr(documents, "_Fastest", yaml.SafeLoader)
    done = apply("[" * 2000, mount)
    assert done.status == 2
    assert "standard input: it is nested too deeply" in done.err


WORDS = (
    *("kind", "ConfigMap", "List", "items", "data", "metadata", "name", "null", "0x_", "1e999"),
    *(": ", "- ", "\n", "\n  ", "&a ", "*a ", "[", "]", "{", "}", "!!int ", "!!set ", '"', "|\n"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=20).map("".join))
@settings(max_examples=300)
def test_no_text_ends_in_a_traceback(text: str) -> None:
    """Whatever a file holds, it is a manifest or it is refused with a message."""
    with suppress(ManifestError):
        parse(text, "a file")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["B=b"], "configmap references non-existent config key: B"),
        (["A=/a"], 'path: Invalid value: "/a": must be a relative path'),
        (["A=a/../b"], "path: Invalid value: \"a/../b\": must not contain '..'"),
        (["A=..a"], "path: Invalid value: \"..a\": must not start with '..'"),
        (["A=a b"], "each part must be 1 to 253 characters of [-._a-zA-Z0-9], and no '.'"),
        (["A=a", "A=a/b"], "it is also the directory of another path"),
        (["A"], "'A' is not KEY=PATH"),
    ],
)
def test_wrong_items(items: list[str], message: str, mount: Path) -> None:
    """Paths and keys that a volume does not allow are refused, and nothing is written."""
    done = apply(f"{HEAD}data: {{A: one}}\n", mount, *(f"--items={item}" for item in items))
    assert done.status == 2
    assert message in done.err
    assert not mount.exists()


@pytest.mark.parametrize("mode", ["0999", "1777", "rw"])
def test_wrong_mode(mode: str, mount: Path) -> None:
    """A mode is octal, and permissions only."""
    done = apply(f"{HEAD}data: {{A: one}}\n", mount, "--mode", mode)
    assert done.status == 2
    assert "must be a number between 0 and 0777 (octal), both inclusive" in done.err


def test_wrong_use(mount: Path, tmp_path: Path) -> None:
    """What does not go together, and a directory that is no volume, is refused."""
    assert run("apply", mount).status == 2
    assert run("apply", "--delete", "-f", "-", mount).status == 2
    assert run("apply", "--watch", "-f", "-", mount).status == 2
    mount.mkdir()
    (mount / "main.py").touch()
    done = apply(f"{HEAD}data: {{A: one}}\n", mount)
    assert done.status == 2
    assert "holds files but no ..data, so it is not a volume" in done.err
    (tmp_path / "binary.yaml").write_bytes(b"\xff")
    done = run("apply", "-f", tmp_path / "binary.yaml", tmp_path / "new")
    assert done.err.endswith("binary.yaml: it is not UTF-8 text\n")


@pytest.mark.parametrize("target", ["../other", "..", "."])
def test_a_link_made_by_hand(target: str, mount: Path, tmp_path: Path) -> None:
    """A ``..data`` that leads out of the directory is refused, and nothing is removed."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    mount.mkdir()
    (mount / "..data").symlink_to(target)
    done = apply(f"{HEAD}data: {{A: one}}\n", mount)
    assert done.status == 2
    assert f"leads to {target!r}, which is not a directory" in " ".join(done.err.split())
    assert run("apply", "--delete", mount).status == 2
    assert (tmp_path / "other" / "file").exists()
    assert os.listdir(mount) == ["..data"]


def test_an_impossible_directory(tmp_path: Path) -> None:
    """A directory that cannot be made is an error, not a traceback."""
    (tmp_path / "file").touch()
    done = apply(f"{HEAD}data: {{A: one}}\n", tmp_path / "file" / "config")
    assert done.status == 2
    assert "Not a directory" in done.err


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_watch(tmp_path: Path, mount: Path, by: signal.Signals) -> None:
    """The directory follows each edit, survives a wrong one and an editor's rename, and ends."""
    manifest = tmp_path / "app.yaml"
    manifest.write_text(f"{HEAD}data: {{A: one}}\n")
    with running("apply", "--watch", "-f", manifest, mount, directory=tmp_path) as command:
        command.shows("added     A")
        manifest.write_text(f"{HEAD}data: {{A: two}}\n")
        command.shows("modified  A")
        assert held(mount) == {"A": b"two"}
        manifest.write_text(f"{HEAD}data: {{A: 3}}\n")
        command.says("cannot unmarshal number")
        command.says("left as it is")
        assert held(mount) == {"A": b"two"}
        manifest.rename(tmp_path / "old.yaml")
        (tmp_path / "new.yaml").write_text(f"{HEAD}data: {{B: one}}\n")
        os.replace(tmp_path / "new.yaml", manifest)
        command.shows("removed   A")
        eventually(lambda: held(mount) == {"B": b"one"})
        assert command.end(by) == 0
        assert "Traceback" not in command.err


def test_an_unreadable_manifest_is_waited_for(tmp_path: Path, mount: Path) -> None:
    """A manifest that becomes a directory is reported, and followed again when it is a file."""
    manifest = tmp_path / "app.yaml"
    manifest.write_text(f"{HEAD}data: {{A: one}}\n")
    with running("apply", "--watch", "-f", manifest, mount, directory=tmp_path) as command:
        command.shows("added     A")
        manifest.unlink()
        command.says("app.yaml: it is gone; waiting for it")
        manifest.mkdir()
        command.says("Is a directory")
        manifest.rmdir()
        manifest.write_text(f"{HEAD}data: {{A: two}}\n")
        command.shows("modified  A")
        assert command.end() == 0


def test_a_manifest_that_an_editor_is_replacing(tmp_path: Path) -> None:
    """While a manifest is not there, nothing is known of it; saved again, it is another."""
    state = import_module("dynaconf_k8s_reload.cli.apply.command")._state
    manifest = tmp_path / "app.yaml"
    assert state(manifest) is None
    manifest.touch()
    before = state(manifest)
    manifest.write_text("x")
    assert state(manifest) != before
