"""For ``path("-/config", include("dynaconf_k8s_reload.django.urls"))``."""

from __future__ import annotations

from django.urls import path

from .views import status

__all__ = ["app_name", "urlpatterns"]

app_name = "k8s_reload"
urlpatterns = [path("", status, name="status")]
