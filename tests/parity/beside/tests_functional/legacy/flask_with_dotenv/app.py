"""A Flask application whose settings are those of the .env file beside it."""

from __future__ import annotations

from typing import Any

from dynaconf.contrib import FlaskDynaconf
from flask import Flask

app = Flask(__name__)
FlaskDynaconf(app)


@app.route("/test")
def hello() -> Any:
    """Serve one of them."""
    return app.config["HELLO"]
