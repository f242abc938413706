"""What this package assumes of Flask's private ground, and of dynaconf's way to it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("flask", reason="Flask is not installed")

from dynaconf import FlaskDynaconf
from dynaconf.contrib.flask_dynaconf import DynaconfConfig
from flask import Flask
from flask.helpers import get_debug_flag


def test_dynaconf_takes_the_place_of_an_apps_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the settings in ``_settings``, and a copy of each of them in its own dictionary."""
    app = Flask("contract")
    FlaskDynaconf(app, A=1)
    config: Any = app.config
    assert type(config) is DynaconfConfig
    assert config._settings.A == dict.__getitem__(config, "A") == 1
    maps = config._chain_map().maps
    assert maps[0] is config._settings
    assert maps[1] == dict(dict.items(config))
    assert "SESSION_COOKIE_NAME" in app.default_config
    for said in ("1", "0"):
        monkeypatch.setenv("FLASK_DEBUG", said)
        assert get_debug_flag() is (said == "1")
