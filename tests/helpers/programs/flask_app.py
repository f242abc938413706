"""A Flask application whose answer tells what one request saw."""

from __future__ import annotations

import os
import time
from typing import Any

from dynaconf import FlaskDynaconf
from flask import Flask, current_app, session

from dynaconf_k8s_reload.flask import K8sReload

app = Flask(__name__)
FlaskDynaconf(
    app,
    envvar_prefix="MYAPP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_restart_keys=["DATABASE"],
    k8s_restart_503=True,
    k8s_prefixed_only=False,
    secret_key="key",
)
K8sReload(app, status_url="/-/config")


@app.get("/")
def answer() -> dict[str, Any]:
    """Answer with what a snapshot, the configuration and Flask itself have."""
    session["seen"] = True
    snapshot = current_app.extensions["k8s_reload"].snapshot()
    first = snapshot.get("NUMBER")
    time.sleep(0.002)  # so that a swap may come between two reads
    config = current_app.config
    items = dict(config.items())
    return {
        "pid": os.getpid(),
        "one_generation": [first, snapshot.get("TWIN"), snapshot.get("NUMBER")],
        "items": [items.get("NUMBER"), items.get("TWIN")],
        "number": config["NUMBER"],
        "extra": config.get("EXTRA"),
        "listed": "EXTRA" in config,
        "cookie": config["SESSION_COOKIE_NAME"],
        "interface": current_app.session_interface.get_cookie_name(current_app),
        "debug": current_app.debug,
        "testing": current_app.testing,
    }
