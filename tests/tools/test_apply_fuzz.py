"""``apply`` meets whatever stands in a manifest: a message or a volume, and nothing outside."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from command import run
from dynaconf_k8s_reload.testing import AtomicWriter
from sampling import examples

EXAMPLES = examples(150, nightly=20_000)
PRECIOUS = "the only copy"

KEYS = st.sampled_from(
    [
        *(
            "A",
            "..",
            ".",
            "..data",
            "../precious",
            "/etc/x",
            "a/b",
            "..2026",
            "a b",
            "",
            "\0",
            "ключ",
        ),
        *("..data_tmp", "k" * 254, "A\n", "~", "null", "<<", "*a", "1"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.dates()
    | st.sampled_from(["eA==", "=", "ConfigMap", "Secret", "List", "ConfigMapList", "v1", "app"])
)
FIELDS = st.sampled_from(
    ["kind", "apiVersion", "metadata", "data", "binaryData", "stringData", "items", "type", "name"]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | KEYS, inner, max_size=4),
    max_leaves=8,
)
NEARLY = st.fixed_dictionaries(
    {"kind": st.sampled_from(["ConfigMap", "Secret"])},
    optional={
        "metadata": ANYTHING | st.just({"name": "app"}),
        "data": ANYTHING | st.dictionaries(KEYS, SCALARS, max_size=4),
        "binaryData": ANYTHING | st.dictionaries(KEYS, SCALARS, max_size=4),
        "stringData": ANYTHING | st.dictionaries(KEYS, SCALARS, max_size=4),
        "immutable": SCALARS,
    },
)
RIGHT = st.fixed_dictionaries(
    {
        "kind": st.just("ConfigMap"),
        "metadata": st.just({"name": "app"}),
        "data": st.dictionaries(st.from_regex(r"\A[-._a-zA-Z0-9]{1,4}\Z"), st.text(max_size=4)),
    }
)
DOCUMENTS = st.lists(ANYTHING | NEARLY | RIGHT, max_size=3)
SIGNS = st.text("{}[]:-&*!|>'\"%@`#?,~<= \n\tak01\r\x00\u2028", max_size=40)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A volume, and beside it what nobody may touch."""
    root = Path(mkdtemp())
    (root / "precious").write_text(PRECIOUS)
    yield root
    shutil.rmtree(root)


def applied(text: str, place: Path, *arguments: str) -> None:
    """Apply a text, and check what has become of the place."""
    done = run("apply", "-f", "-", *arguments, place / "config", given=text)
    assert done.status in (0, 2)
    assert "Traceback" not in done.err
    assert bool(done.err) == (done.status == 2)
    assert (place / "precious").read_text() == PRECIOUS
    assert set(os.listdir(place)) <= {"precious", "config"}
    if (place / "config").exists():
        held = AtomicWriter(place / "config").payload
        visible = {name for name in os.listdir(place / "config") if not name.startswith("..")}
        assert visible == {key.partition("/")[0] for key in held}


def written(documents: list[Any], *, as_json: bool) -> str:
    """Write documents as a person's tool would, as far as they can be."""
    if as_json:
        return "\n---\n".join(json.dumps(document, default=str) for document in documents)
    return str(yaml.dump_all(documents, allow_unicode=True))


@settings(max_examples=EXAMPLES)
@given(documents=DOCUMENTS, as_json=st.booleans(), path=KEYS | st.none())
def test_documents(documents: list[Any], as_json: bool, path: str | None, place: Path) -> None:
    """Documents of every shape end in a message or in a whole volume."""
    arguments = [f"--items=A={path}"] if path else []
    applied(written(documents, as_json=as_json), place, *arguments)


@settings(max_examples=EXAMPLES)
@given(text=SIGNS)
@example(text="&a\nkind: List\nitems: [*a]\n")
@example(text="kind: [a]\n")
@example(text="kind: {ConfigMap: 1}\n")
@example(text="kind: List\nitems: 5\n")
@example(text="kind: ConfigMap\nmetadata: {name: a}\ndata: {K: 0x_}\n")
@example(text=f"kind: ConfigMap\nmetadata: {{name: a}}\ndata: {{K: {'9' * 5000}}}\n")
@example(text='{"a":' * 100_000)
@example(text="[" * 5_000)
@example(text="a: " * 5_000)
@example(text="&a [" + "*a," * 1000)
@example(text="kind: ConfigMap\nmetadata: {name: a}\ndata: {K: 2026-13-45, L: 1e999, M: .nan}\n")
@example(text="kind: ConfigMap\nmetadata: {name: a}\ndata: {K: !!python/object:os.system x}\n")
@example(text="kind: ConfigMap\nmetadata: {name: a}\nbinaryData: {K: 'ключ'}\n")
@example(text="kind: ConfigMap\nmetadata: {name: a}\ndata: {? [a] : b}\n")
@example(text="kind: ConfigMap\nmetadata: {name: a}\ndata: {<<: [1]}\n")
@example(text="kind: ConfigMap\nmetadata: {name: a}\ndata: {<<: x}\n")
@example(text="\ufeffkind: ConfigMap\nmetadata: {name: a}\ndata: {K: v}\n")
@example(text='{"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"K": "\\ud800"}}')
def test_texts(text: str, place: Path) -> None:
    """Text that is hardly YAML, too deep, too long or hostile ends in a message."""
    applied(text, place)
