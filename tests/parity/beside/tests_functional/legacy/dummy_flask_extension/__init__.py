"""A Flask extension that is an object."""

from __future__ import annotations

from flask import Flask


class DummyExtensionType:
    """Names itself among the application's extensions."""

    def init_app(self, app: Flask) -> None:
        """Do so."""
        app.extensions["dummy"] = self


dummy_instance = DummyExtensionType()
