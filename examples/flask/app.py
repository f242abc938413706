"""A Flask application whose settings and environment variables follow a mounted ConfigMap."""

from __future__ import annotations

import os

from dynaconf import FlaskDynaconf
from flask import Flask, Response, abort, current_app, request

from dynaconf_k8s_reload.flask import K8sReload

app = Flask(__name__)
FlaskDynaconf(
    app,
    envvar_prefix="MYAPP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[os.environ.get("CONFIG_DIR", "/config")],
    k8s_prefixed_only=False,  # its ConfigMap is its own, and most of the keys carry no prefix
)
K8sReload(app, status_url="/-/config")


@app.get("/getEnvValue")
def get_env_value() -> Response:
    """Answer an environment variable. For a demonstration only: variables hold secrets."""
    return plain(os.environ.get(request.args["var"]))


@app.get("/settings/<key>")
def get_setting(key: str) -> Response:
    """Answer a setting; a dotted key reaches into a nested one. For a demonstration only."""
    return plain(current_app.config.get(key))


def plain(value: object) -> Response:
    """Answer *value* as text, or 404 where there is none."""
    if value is None:
        abort(404)
    return Response(str(value), mimetype="text/plain")
