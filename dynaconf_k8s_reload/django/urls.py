"""For ``path("-/config", include("dynaconf_k8s_reload.django.urls"))``, with or without a ``/``."""

from __future__ import annotations

from django.apps import apps
from django.urls import URLPattern, path, re_path

from .._model.log import log
from .views import status

__all__ = ["app_name", "urlpatterns"]

app_name = "k8s_reload"
urlpatterns: list[URLPattern] = [
    path("", status, name="status"),
    re_path("^[/]?live$", status, {"question": "live"}, name="live"),
    re_path("^[/]?ready$", status, {"question": "ready"}, name="ready"),
]

APP = "dynaconf_k8s_reload.django"
if apps.ready and not apps.is_installed(APP):  # without the app there is no check to say so
    log.warning(
        "%s is not in INSTALLED_APPS, so ALLOWED_HOSTS, LOGGING and the signals do not follow; "
        "add it",
        APP,
    )
