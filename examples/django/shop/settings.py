"""The settings: what the project says itself, and over it what the ConfigMap says."""

from __future__ import annotations

import os

from dynaconf import DjangoDynaconf, Validator

SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
INSTALLED_APPS = ["dynaconf_k8s_reload.django"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
BANNER = "Welcome"

settings = DjangoDynaconf(
    __name__,
    envvar_prefix="SHOP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[os.environ.get("CONFIG_DIR", "/config")],
    k8s_prefixed_only=True,
    validators=[Validator("DISCOUNT", gte=0, lte=90)],
)
