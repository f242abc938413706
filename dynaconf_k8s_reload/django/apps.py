"""The app: it joins the watch that the first load of the settings started."""

from __future__ import annotations

import os
import sys

from django.apps import AppConfig
from django.core.checks import register
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from .. import ConfigError, get_reloader
from .._dynaconf.django import current_settings, make_live
from . import signals
from .checks import TAG, check_mounts
from .loggers import Loggers
from .restart import restart_keys


class K8sReloadConfig(AppConfig):  # type: ignore[misc] # reason: Django is untyped
    """Makes Django follow dynaconf's settings wherever it keeps a copy, and sends the signals."""

    name = "dynaconf_k8s_reload.django"
    label = "dynaconf_k8s_reload"
    verbose_name = "Mounted ConfigMaps"

    def ready(self) -> None:
        """Join, once; ``override_settings(INSTALLED_APPS=...)`` calls it again."""
        register(check_mounts, TAG)
        settings = current_settings()
        try:
            reloader = get_reloader(settings)
        except ConfigError:
            return  # the check says what to write
        if _only_supervises():
            reloader.stop(restore=True)  # the server, its child, starts with a clean environment
            return
        if reloader.generations.restart_keys:
            return  # it has joined already
        make_live(settings)
        signalled = bool(settings.get("K8S_SEND_SETTING_CHANGED"))
        reloader.generations.restart_keys = restart_keys(signalled=signalled)
        loggers = self._loggers = Loggers()  # which the reloader itself does not keep alive
        reloader.on_validate(loggers.check)
        reloader.on_change("LOGGING")(loggers.apply)
        reloader.on_change()(signals.send_both if signalled else signals.send_reloaded)


def _only_supervises() -> bool:
    """Tell whether this process is ``runserver``'s autoreloader, which starts the server anew."""
    return (
        sys.argv[1:2] == ["runserver"]
        and "--noreload" not in sys.argv
        and os.environ.get(DJANGO_AUTORELOAD_ENV) != "true"
    )
