"""The settings that dynaconf's tests of its command line name: ``tests.config.settings``."""

from __future__ import annotations

from pathlib import Path

from dynaconf import Dynaconf

settings = Dynaconf(
    TEST_KEY="test_value",
    ANOTHER_KEY="another_value",
    DATA={"KEY": "value", "OTHERKEY": "other value"},
    A_PATH=Path("foo"),
)
settingsenv = Dynaconf(environments=True)
