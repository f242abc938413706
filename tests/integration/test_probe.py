"""What a probe is answered."""

from __future__ import annotations

import json
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynaconf_k8s_reload import Reloader, get_reloader
from dynaconf_k8s_reload._reload.probe import probe
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

MARK = "Zq7xK0vJ"
NUMBER = 918273645

LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TEXTS = st.tuples(LETTERS, LETTERS).map(MARK.join)
PLAIN = st.recursive(
    TEXTS | st.just(NUMBER) | st.just(NUMBER / 2**40),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.just("key"), inner, min_size=1)
    ),
    max_leaves=4,
)
CONTENTS = st.one_of(
    TEXTS,
    PLAIN.map(json.dumps),
    PLAIN.map(lambda value: f"@json {json.dumps(value)}"),
    TEXTS.map(lambda text: f"@int {text}"),  # cannot be loaded
    TEXTS.map(lambda text: f"@format {{this.{text}}}"),
    TEXTS.map(lambda text: f"@jinja {{{{ {text} }}}}"),
    TEXTS.map(lambda text: f"@merge {text}"),
    TEXTS.map(lambda text: f"@read_file /{text}"),
    TEXTS.map(lambda text: text.encode("utf-16") + b"\xff"),
    TEXTS.map(lambda text: MARK.encode() + b"\xff" + text.encode()),
)
KEYS = st.sampled_from(
    ["MYAPP_KEY", "KEY", "MYAPP_DB__HOST", "MYAPP_NUMBER", "PATH", "a-b.c", "MYAPP_LIST___0"]
)


@given(st.lists(st.dictionaries(KEYS, CONTENTS, max_size=3), min_size=1, max_size=3))
@settings(max_examples=60, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_value_is_shown(payloads: list[dict[str, str | bytes]]) -> None:
    """Whatever the mount holds, applied or refused, no part of it is in the answer or the repr."""
    with tempfile.TemporaryDirectory() as directory:
        volume = AtomicWriter(directory)
        volume.write({})
        reloader = get_reloader(make_settings(volume.directory, k8s_watch=False))
        reloader.on_validate(_refuse_integers)
        for payload in payloads:
            volume.write(payload)
            reloader.reload()
            code, data = probe(reloader)
            shown = json.dumps(data, ensure_ascii=False) + repr(reloader.status()) + repr(reloader)
            assert code == 200
            for value in (MARK, str(NUMBER), str(NUMBER / 2**40)):
                assert value not in shown
        reloader.stop(restore=True)


def _refuse_integers(candidate: Any, changes: Any) -> None:
    if candidate.get("NUMBER") == NUMBER:
        raise ValueError(f"{candidate.NUMBER} is refused")


@pytest.fixture
def reloader(volume: AtomicWriter) -> Reloader:
    volume.write({"MYAPP_POOL": "1"})
    return get_reloader(
        make_settings(
            volume.directory, k8s_watch=False, k8s_restart_keys=["POOL"], k8s_restart_503=True
        )
    )


def test_it_is_green_at_first(reloader: Reloader) -> None:
    """A watch that is off by choice is healthy; the body is the status."""
    assert probe(reloader) == (200, reloader.status().as_dict())


def test_a_required_restart_is_red(volume: AtomicWriter, reloader: Reloader) -> None:
    """With k8s_restart_503, from the change of such a key on."""
    volume.set("MYAPP_OTHER", "1")
    reloader.reload()
    assert probe(reloader)[0] == 200
    volume.set("MYAPP_POOL", "2")
    reloader.reload()
    assert probe(reloader)[0] == 503


def test_a_refused_restart_key_is_green(volume: AtomicWriter, reloader: Reloader) -> None:
    """The pod must not restart into content that is refused."""

    @reloader.on_validate
    def refuse(candidate: Any, changes: Any) -> None:
        raise ValueError

    volume.set("MYAPP_POOL", "2")
    assert reloader.reload().outcome == "rejected"
    assert probe(reloader)[0] == 200


def test_a_dead_watch_is_red(volume: AtomicWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it should watch and does not, the probe says so."""
    volume.write({})
    reloader = get_reloader(make_settings(volume.directory))
    assert probe(reloader)[0] == 200
    monkeypatch.setattr("dynaconf_k8s_reload._reload.reloader.WATCHER.mode", lambda *_: "off")
    code, data = probe(reloader)
    assert (code, data["healthy"]) == (503, False)
