"""System checks: what cannot work, and what only a restart can change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import global_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 -- because Django calls it so

from .. import ConfigError, Reloader, _dynaconf, get_reloader
from .._dynaconf.django import current_settings
from .._source.content import Variable

TAG = "k8s_reload"


def check_mounts(**_: Any) -> list[CheckMessage]:
    """Report what is wrong with the settings and their mounts; no message shows a value."""
    try:
        reloader = get_reloader(current_settings())
    except ConfigError:
        return [
            Error(
                "The settings are not loaded by dynaconf-k8s-reload, so nothing follows.",
                hint="End the settings module with DjangoDynaconf(__name__, "
                'loaders=["dynaconf_k8s_reload.loader"]), or set the variable '
                """LOADERS_FOR_DYNACONF='["dynaconf_k8s_reload.loader"]'.""",
                id="dynaconf_k8s_reload.E001",
            )
        ]
    return [*_of_mounts(reloader), *_of_loaders(), *_of_names(reloader)]


def _of_mounts(reloader: Reloader) -> Iterator[CheckMessage]:
    if not reloader.options.k8s_mounts:
        yield Warning(
            "There is no mount to follow.",
            hint="Give k8s_mounts, or mount the ConfigMap at /config.",
            id="dynaconf_k8s_reload.W001",
        )
    for mount in reloader.status().mounts:
        if not mount.present:
            yield Warning(
                f"The mount {mount.path} is not there.",
                hint="Mount the ConfigMap there as a directory; the watch waits for it.",
                id="dynaconf_k8s_reload.W001",
            )


def _of_loaders() -> Iterator[CheckMessage]:
    if _dynaconf.ENV_LOADER in (current_settings().get(_dynaconf.LOADERS) or []):
        yield Warning(
            f"{_dynaconf.ENV_LOADER} stands beside {_dynaconf.LOADER}, so that the environment of "
            "the start wins over the mounts.",
            hint="Take it out of the list of loaders.",
            id="dynaconf_k8s_reload.W002",
        )


def _of_names(reloader: Reloader) -> Iterator[CheckMessage]:
    for setting in sorted(provided(reloader), key=lambda each: (each.name, each.variable.source)):
        name, source = setting.name, setting.variable.source
        if name in reloader.generations.restart_keys:
            yield Warning(
                f"{source} sets {name}, which Django reads once: an update changes the setting, "
                "but not what Django has made of it.",
                hint="Restart the pods after changing it; status and probe name it until then.",
                id="dynaconf_k8s_reload.W003",
            )
        if not setting.prefixed and hasattr(global_settings, name):
            yield Warning(
                f"{source} sets Django's {name} without the application's prefix.",
                hint="If it is meant for another application, set k8s_prefixed_only=True; if not, "
                "give the key the prefix.",
                id="dynaconf_k8s_reload.W004",
            )


class Provided(NamedTuple):
    """A setting that a mount provides.

    Attributes:
        name: its top-level name.
        variable: where it comes from.
        prefixed: the key carries the application's prefix.
    """

    name: str
    variable: Variable
    prefixed: bool


def provided(reloader: Reloader) -> Iterator[Provided]:
    """Give the settings that the mounts provide now."""
    snapshot = reloader.snapshot()
    names = _dynaconf.names(snapshot)
    for name, variable in _dynaconf.attached(snapshot).generation.payload.variables.items():
        only = reloader.options.prefixed_only(variable.mount)
        prefixed = name.startswith(tuple(filter(None, names.prefixes)))
        for key in names.keys(name, prefixed_only=only):
            yield Provided(names.top(key), variable, prefixed)
