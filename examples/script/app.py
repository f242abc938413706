"""A program that follows a mounted ConfigMap: it prints a line whenever its settings change."""

from __future__ import annotations

import os
import threading

from dynaconf import Dynaconf

from dynaconf_k8s_reload import Changes, get_reloader

settings = Dynaconf(
    envvar_prefix="MYAPP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[os.path.abspath(os.environ.get("CONFIG_DIR", "config"))],
)


def show(what: str) -> None:
    """Print the greeting, from the settings and from the environment."""
    variable = os.environ.get("MYAPP_GREETING")
    print(f"{what}: settings {settings.get('GREETING')!r}, environment {variable!r}", flush=True)


@get_reloader(settings).on_change("GREETING")
def greeting_changed(changes: Changes) -> None:
    """Be called in a thread of the package, once for each update."""
    show(changes["GREETING"].kind)


if __name__ == "__main__":
    show(f"process {os.getpid()}")
    threading.Event().wait()  # until Ctrl-C; a real program would have something to do
