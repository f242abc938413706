"""The probes."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("-/config", include("dynaconf_k8s_reload.django.urls"))]
