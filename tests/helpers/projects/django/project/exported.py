"""Settings that are assembled by code and exported into this module, as bigger projects do."""

from __future__ import annotations

import json
import os
import sys

from dynaconf import Dynaconf

DYNACONF = Dynaconf(
    envvar_prefix="DJANGO",
    **{
        "loaders": ["dynaconf_k8s_reload.loader"],
        "k8s_mounts": json.loads(os.environ["MOUNTS"]),
        **json.loads(os.environ.get("OPTIONS", "{}")),
    },
)
DYNACONF.update(
    {
        "SECRET_KEY": "of the project",
        "ROOT_URLCONF": "project.urls",
        "INSTALLED_APPS": ["dynaconf_k8s_reload.django"],
        "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        "GREETING": "of the project",
        "USE_TZ": True,
    },
    loader_identifier="assembled",
)
DYNACONF.populate_obj(sys.modules[__name__], internal=False, convert_to_dict=True)
