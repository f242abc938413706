"""What a pod of the cluster tests serves: a Flask application with its status page."""

from __future__ import annotations

from dynaconf import FlaskDynaconf
from flask import Flask

from dynaconf_k8s_reload.flask import K8sReload

app = Flask("shop")
FlaskDynaconf(app, envvar_prefix="SHOP", loaders=["dynaconf_k8s_reload.loader"])
K8sReload(app, status_url="/-/config")
