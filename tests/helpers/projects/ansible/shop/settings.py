"""Assembled step by step, and exported into this module."""

from __future__ import annotations

from ansible_base.lib.dynamic_config import (
    export,
    factory,
    load_envvars,
    load_standard_settings_files,
)
from dynaconf import Validator

DYNACONF = factory(
    __name__,
    "SHOP",
    environments=("development", "production"),
    settings_files=["defaults.py"],
)
DYNACONF.load_file("more.yaml")
DYNACONF.set("TWICE", "@format {this.POOL_SIZE}{this.POOL_SIZE}", loader_identifier="shop")
load_standard_settings_files(DYNACONF)
load_envvars(DYNACONF)
DYNACONF.validators.register(Validator("POOL_SIZE", gte=1, lte=100))
export(__name__, DYNACONF)
