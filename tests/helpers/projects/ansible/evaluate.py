"""The project under a test's control: it evaluates each line of its input and prints the result."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"


def show(holder: Any) -> dict[str, object]:
    """Give all settings of an object, ready for JSON."""
    from django.db.utils import ConnectionHandler

    assert ConnectionHandler(holder.DATABASES).settings  # completes them in place, as Django does
    return {
        name: value
        for name in dir(holder)
        if name.isupper() and not name.startswith("_")
        for value in [getattr(holder, name)]
        if isinstance(value, str | int | list | tuple | dict)
    }


def main() -> None:
    """Run until the input ends."""
    import django

    django.setup()
    from django.conf import settings

    from dynaconf_k8s_reload import get_reloader

    reloader = get_reloader(settings.DYNACONF)
    names = {
        "settings": settings,
        "module": sys.modules["shop.settings"],
        "reloader": reloader,
        "show": show,
    }
    for line in sys.stdin:
        print(json.dumps(eval(line, names), default=str), flush=True)


main()
