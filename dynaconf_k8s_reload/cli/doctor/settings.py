"""What may be wrong with how an application uses its mounts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from ... import _dynaconf
from ..._model.changes import Change, Changes
from ..._source.content import Payload
from ..._source.reader import DEFAULT_MOUNT
from ..application import Application
from ..findings import KEYS, Finding, sentence
from ..problem import Problem
from ..screen import listed

UNFINISHED = Finding(
    "import-unfinished",
    "note",
    "The module never ends",
    "It makes its settings and then goes on and on; it was interrupted to look at them.",
    'Put what it runs under if __name__ == "__main__", or make the settings in a module of '
    "their own.",
)
NO_MOUNT = Finding(
    "no-mount",
    "error",
    "There is no mount to follow",
    f"k8s_mounts names none, and {DEFAULT_MOUNT}, its default, is not a volume here.",
    f"Mount the ConfigMap at {DEFAULT_MOUNT}, or name its directory in k8s_mounts.",
)


def check_application(
    application: Application, payload: Payload, directories: Sequence[str]
) -> Iterator[Finding]:
    """Check how an application uses its mounts.

    Args:
        application: the application.
        payload: what the mounts hold.
        directories: those that were named on the command line.
    """
    if application.problem is not None:
        if application.problem.keys:  # perhaps for want of the mounts
            yield from _unread(application)
        yield _not_loaded(application.problem, application.name)
        return
    if application.attachment is None:
        yield no_loader()
        return
    if not application.finished:
        yield UNFINISHED
    if not application.attachment.generation.options.k8s_mounts:
        yield NO_MOUNT
    yield from _not_mounted(application.attachment, directories)
    yield from _environment_last(application, payload)
    if application.refused is not None:
        yield _refused(application.refused, application.name)
    yield from _written(application, payload)
    yield from _restart_only(application, payload)


def _unread(application: Application) -> Iterator[Finding]:
    if not application.follows:
        yield no_loader()
    elif application.options is not None and not application.options.k8s_mounts:
        yield NO_MOUNT


def _not_loaded(problem: Problem, settings: str) -> Finding:
    text = problem.text.partition("; ")[0]
    beside = _dynaconf.ENV_LOADER in text
    name, title = (
        ("env-loader", "env_loader beside the loader")
        if beside
        else ("settings-not-loaded", "The settings cannot be loaded")
    )
    told = f"{text}." if problem.keys else sentence(text)  # a name stays as it is
    return Finding(name, "error", title, told, sentence(problem.remedy(settings)), problem.keys)


def _refused(problem: Problem, settings: str) -> Finding:
    return Finding(
        "refused-by-reload",
        "error",
        "A reload refuses what a start takes",
        f"{problem.text.partition('; ')[0]}.",
        sentence(problem.remedy(settings)),
        problem.keys,
    )


def no_loader() -> Finding:
    """Make the finding of settings that are loaded without this package."""
    return Finding(
        "no-loader",
        "error",
        "The loader is missing",
        "These settings are loaded without this package: no mount changes them.",
        _use_it(),
    )


def _use_it() -> str:
    return f"{sentence(_dynaconf.how_to_load()).rstrip('.')}, without {_dynaconf.ENV_LOADER}."


def settings_files(settings: Any) -> set[str]:
    """Give the real paths of the files that an application lists as its settings files."""
    files = settings.get("SETTINGS_FILE_FOR_DYNACONF") or []
    return {os.path.realpath(str(file)) for file in ([files] if isinstance(files, str) else files)}


def _not_mounted(attachment: Any, directories: Sequence[str]) -> Iterator[Finding]:
    mounted = {os.path.realpath(mount.path) for mount in attachment.generation.options.k8s_mounts}
    others = [path for path in directories if os.path.realpath(path) not in mounted]
    if others:
        yield Finding(
            "directory-not-read",
            "error",
            "The application does not read a directory",
            f"{KEYS}: not among its mounts.",
            "Add the directory to k8s_mounts.",
            others,
        )


def _environment_last(application: Application, payload: Payload) -> Iterator[Finding]:
    if not _dynaconf.has_env_loader(application.settings):
        return
    shadowed = [name for name in payload.variables if name in os.environ]
    which = f" Now it does so for {listed(shadowed)}." if shadowed else ""
    yield Finding(
        "environment-wins",
        "warning",
        "The environment shadows keys",
        f"{_dynaconf.ENV_LOADER} is beside the loader, so that a variable beats the mount.{which}",
        _use_it(),
    )


def _written(application: Application, payload: Payload) -> Iterator[Finding]:
    written = [name for name in payload.variables if name in application.written]
    if written:
        yield Finding(
            "application-writes-variable",
            "warning",
            "The application writes variables of a mount",
            f"Importing it changes {KEYS} in os.environ, which then hides the mount's value until "
            "that changes.",
            "Let the application write other names, or leave these out with exclude.",
            written,
        )


def _restart_only(application: Application, payload: Payload) -> Iterator[Finding]:
    attachment: Any = application.attachment
    names = _dynaconf.names(application.settings)
    paths = (names.path(key) for name in payload.variables for key in names.keys(name))
    settings = map(".".join, paths)
    keys = Changes(Change(key, None, None, "added") for key in settings)
    restart = keys.matching(attachment.generation.options.k8s_restart_keys)
    if restart:
        yield Finding(
            "restart-key",
            "note",
            "Keys that take effect with a restart only",
            f"{KEYS}.",
            "After a change restart the pods, or have k8s_restart_503 do it through a probe.",
            list(restart),
        )
