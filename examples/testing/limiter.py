"""A small application: it lets a few requests in at a time, as many as its ConfigMap says."""

from __future__ import annotations

import threading
from typing import Any

from dynaconf import Dynaconf, Validator

from dynaconf_k8s_reload import get_reloader

OPTIONS = {
    "envvar_prefix": "LIMITER",
    "validators": [Validator("AT_ONCE", must_exist=True, is_type_of=int, gte=1)],
}


class Limiter:
    """Admits `AT_ONCE` requests at a time.

    Args:
        settings: the application's, so that a test can give its own.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._inside = 0
        self._changed = threading.Condition()
        get_reloader(settings).on_change("AT_ONCE")(self._look_again)

    def enter(self, timeout: float) -> bool:
        """Come in, or give up after `timeout` seconds and say so."""
        with self._changed:
            admitted = self._changed.wait_for(self._has_room, timeout)
            self._inside += admitted
            return admitted

    def leave(self) -> None:
        """Make room for another."""
        with self._changed:
            self._inside -= 1
            self._changed.notify()

    def _has_room(self) -> bool:
        return bool(self._inside < self._settings.AT_ONCE)

    def _look_again(self, _: Any) -> None:
        with self._changed:
            self._changed.notify_all()


def main() -> Limiter:
    """Make the application as in production, on the mount /config."""
    return Limiter(Dynaconf(loaders=["dynaconf_k8s_reload.loader"], **OPTIONS))
