"""The settings, loaded by dynaconf from the mounts in MOUNTS, with the OPTIONS, both JSON."""

from __future__ import annotations

import json
import os

from dynaconf import DjangoDynaconf

SECRET_KEY = "of the project"
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
INSTALLED_APPS = ["dynaconf_k8s_reload.django", *json.loads(os.environ.get("APPS", "[]"))]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
GREETING = "of the project"
USE_TZ = True

settings = DjangoDynaconf(
    __name__,
    **{
        "loaders": ["dynaconf_k8s_reload.loader"],
        "k8s_mounts": json.loads(os.environ["MOUNTS"]),
        **json.loads(os.environ.get("OPTIONS", "{}")),
    },
)
BELOW = "of the module"
