"""Where this process's settings and their reloader are."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .._reload.reloader import Reloader, get_reloader

__all__ = ["current_reloader", "current_settings"]


def current_settings() -> Any:
    """Give ``django.conf.settings`` as of now: dynaconf's, once ``DjangoDynaconf`` has run.

    dynaconf puts itself in the place of the module, so a name imported earlier is another object.
    """
    return import_module("django.conf").settings


def current_reloader() -> Reloader:
    """Give the reloader of this process's settings, also within ``override_settings``.

    Raises:
        ConfigError: the settings are not loaded by ``dynaconf_k8s_reload.loader``.
    """
    return get_reloader(current_settings())
