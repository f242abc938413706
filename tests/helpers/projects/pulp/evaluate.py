"""Pulp's own settings module, under a test's control: it evaluates each line of its input."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "pulpcore.app.settings"


def show(holder: Any) -> dict[str, str]:
    """Write all settings of an object, with their types."""
    return {
        name: re.sub(" at 0x[0-9a-f]+", "", f"{type(value).__name__} {value!r}")
        for name in dir(holder)
        if name.isupper() and not name.startswith("_") and name != "DYNACONF"
        for value in [getattr(holder, name)]
    }


def variables() -> dict[str, str]:
    """Give the variables that configure Pulp."""
    return {name: text for name, text in os.environ.items() if name.startswith("PULP_")}


def main() -> None:
    """Run until the input ends."""
    import django.conf
    from django.conf import settings

    if "WITH_APPS" in os.environ:
        import django

        django.setup()
    assert not settings.DEBUG  # this imports Pulp's module, which takes the place of these settings
    from dynaconf_k8s_reload import get_reloader

    settings = sys.modules["django.conf"].settings
    names = {
        "django": django,
        "module": sys.modules["pulpcore.app.settings"],
        "reloader": get_reloader(settings),
        "settings": settings,
        "show": show,
        "variables": variables,
    }
    for line in sys.stdin:
        print(json.dumps(eval(line, names)), flush=True)


main()
