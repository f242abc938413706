"""A Flask application each of whose requests is pinned."""

from __future__ import annotations

import os
import time
from typing import Any

from dynaconf import FlaskDynaconf
from flask import Flask

import ten_keys
from dynaconf_k8s_reload.flask import K8sReload

app = Flask(__name__)
FlaskDynaconf(app, envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"])
K8sReload(app, pin=True)


@app.get("/")
def answer() -> dict[str, Any]:
    """Answer whether the reads of this request agree."""
    seen = ten_keys.read_twice(app.extensions["k8s_reload"], app.config, lambda: time.sleep(0.002))
    return {"pid": os.getpid(), **seen}
