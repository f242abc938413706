"""Content that is meant to do harm costs a refusal at most, and the application goes on."""

from __future__ import annotations

import time

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

DEEP = 20_000
HOSTILE: dict[str, tuple[dict[str, str], str]] = {
    "deep JSON": ({"MYAPP_A": "@json " + "[" * DEEP + "]" * DEEP}, "rejected"),
    "a deep list": ({"MYAPP_A": "[" * DEEP + "]" * DEEP}, "rejected"),
    "a deep table": ({"MYAPP_A": "{a=" * DEEP + "1" + "}" * DEEP}, "rejected"),
    "a long integer": ({"MYAPP_A": "9" * 100_000}, "rejected"),
    "a deep name": ({"MYAPP_" + "A__" * 80 + "B": "1"}, "applied"),
    "a far index": ({"MYAPP_L___99999999999999": "1"}, "applied"),
    "a template of itself": ({"MYAPP_A": "@format {this.A}"}, "applied"),
    "templates of each other": (
        {"MYAPP_A": "@format {this.B}", "MYAPP_B": "@format {this.A}"},
        "applied",
    ),
    "quotes without end": ({"MYAPP_A": '"' * 1_000_000}, "applied"),
    "many keys": ({f"MYAPP_K{number}": "1" for number in range(5_000)}, "applied"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_content(hostile: str, volume: AtomicWriter) -> None:
    """It is refused, or applied in little time, and the next content takes effect."""
    content, outcome = HOSTILE[hostile]
    volume.write({"MYAPP_OK": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    reloader = get_reloader(settings)
    volume.write({**content, "MYAPP_OK": "2"})
    before = time.process_time()
    assert reloader.reload().outcome == outcome
    assert time.process_time() - before < 5
    assert (2 if outcome == "applied" else 1) == settings.OK
    volume.write({"MYAPP_OK": "3"})
    assert reloader.reload().outcome == "applied"
    assert settings.OK == 3
