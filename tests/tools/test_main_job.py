"""The main job, end to end: mounted keys drive live settings and os.environ."""

from __future__ import annotations

import os

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings


def test_settings_and_environment_follow_the_mount(volume: AtomicWriter) -> None:
    """A swap changes settings and variables; what is removed goes, and does not return."""
    volume.write({"MYAPP_DB__HOST": "one", "MYAPP_POOL": "42", "KEY1": "VAL1"})
    settings = make_settings(volume.directory)
    assert (settings.DB.HOST, settings.POOL, settings.KEY1) == ("one", 42, "VAL1")
    assert os.environ["MYAPP_DB__HOST"] == "one"
    assert os.environ["MYAPP_POOL"] == "42"
    assert os.environ["KEY1"] == "VAL1"

    volume.write({"MYAPP_DB__HOST": "two", "MYAPP_POOL": "43", "KEY1": "NEW_VAL1"})
    eventually(lambda: get_reloader(settings).status().generation == 2)
    assert (settings.DB.HOST, settings.POOL, settings.KEY1) == ("two", 43, "NEW_VAL1")
    assert os.environ["MYAPP_DB__HOST"] == "two"
    assert os.environ["MYAPP_POOL"] == "43"
    assert os.environ["KEY1"] == "NEW_VAL1"

    volume.delete("MYAPP_POOL")
    eventually(lambda: get_reloader(settings).status().generation == 3)
    for _ in range(2):
        assert settings.get("POOL") is None
        assert "MYAPP_POOL" not in os.environ
        volume.set("KEY1", "once more")
        get_reloader(settings).reload()
