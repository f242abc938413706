"""For ``path("-/config", include("dynaconf_k8s_reload.django.urls"))``, with or without a ``/``."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from .views import status

__all__ = ["app_name", "urlpatterns"]

app_name = "k8s_reload"
urlpatterns: list[URLPattern] = [
    path("", status, name="status"),
    re_path("^[/]?live$", status, {"question": "live"}, name="live"),
    re_path("^[/]?ready$", status, {"question": "ready"}, name="ready"),
]
