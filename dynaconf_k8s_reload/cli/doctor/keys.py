"""What may be wrong with the keys of the mounts, and with the variables that they become."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from ..._environ.rules import Decision, NotMirrored, decide
from ..._model.names import Names
from ..._model.options import Options
from ..._source.content import Payload
from ..findings import KEYS, Finding, Severity
from ..screen import listed
from .content import check_content

EXEC_AT_MOST = 6 * 1024 * 1024  # three quarters of the kernel's _STK_LIM, see execve(2)
POINTER = 8
FOREIGN = (".conf", ".properties", ".py")  # dynaconf could load them, but usually others do

_NOT_MIRRORED: Mapping[NotMirrored, tuple[str, Severity, str, str]] = {
    NotMirrored.RESERVED: (
        "reserved-name",
        "warning",
        "Reserved names are not taken from a mount",
        "Set them where the application is configured, not in a ConfigMap.",
    ),
    NotMirrored.SHADOWED: (
        "environment-wins",
        "warning",
        "The environment shadows keys",
        "Take the names out of k8s_env_wins, or out of the container's env.",
    ),
    NotMirrored.PROTECTED: (
        "protected-name",
        "warning",
        "Protected names are not mirrored",
        "Rename the keys, or give k8s_protected a list of your own.",
    ),
    NotMirrored.NO_IDENTIFIER: (
        "not-a-variable",
        "note",
        "Keys that are not variables",
        "For a variable, use letters, digits and '_'; or leave them out.",
    ),
    NotMirrored.NOT_UTF8: (
        "binary-key",
        "note",
        "Binary keys are not variables",
        "They are settings of type bytes; leave them out with exclude if they are not meant so.",
    ),
    NotMirrored.NUL: (
        "binary-key",
        "note",
        "Binary keys are not variables",
        "No variable can hold a NUL; leave them out with exclude if they are not meant so.",
    ),
    NotMirrored.TOO_LARGE: (
        "too-large",
        "warning",
        "Values too large for a child process",
        "They are settings only: no program could be started with them. Split them.",
    ),
    NotMirrored.NOT_IN_LOCALE: (
        "not-in-locale",
        "warning",
        "Not mirrored: not text in the locale of the process",
        "Start the process in a UTF-8 locale.",
    ),
}


def check_keys(
    payload: Payload,
    options: Options,
    environ: Mapping[str, str],
    names: Names | None = None,
    settings_files: Collection[str] = (),
) -> Iterator[Finding]:
    """Check what the mounts hold together.

    Args:
        payload: the content.
        options: the application's options.
        environ: the environment of the process.
        names: how the application makes settings of names; dynaconf's usual way by default.
        settings_files: the real paths of the files that the application loads.
    """
    names = names or Names()
    decision = decide(payload, options, names, environ.get)
    yield from _without_prefix(payload, options, names)
    yield from check_content(payload, names)
    yield from _not_mirrored(payload, decision)
    yield from _differing(payload, decision, environ)
    yield from _too_much(decision, environ)
    yield from _files(payload, settings_files)


def _without_prefix(payload: Payload, options: Options, names: Names) -> Iterator[Finding]:
    by_mount: dict[str, list[str]] = defaultdict(list)
    for name, variable in payload.variables.items():
        only = options.prefixed_only(variable.mount)
        if only and not names.keys(name, prefixed_only=True) and not names.is_reserved(name):
            by_mount[variable.mount.path].append(variable.key)
    for path, keys in by_mount.items():
        yield Finding(
            "no-prefix",
            "note",
            "Keys without the application's prefix",
            f"{path}: {KEYS}; only names that begin with "
            f"{listed(names.own or names.prefixes)} are settings.",
            "Begin with it what is meant for this application, or correct envvar_prefix, or set "
            "k8s_prefixed_only=False.",
            keys,
        )


def _not_mirrored(payload: Payload, decision: Decision) -> Iterator[Finding]:
    by_reason: dict[tuple[NotMirrored, str], list[str]] = defaultdict(list)
    for name, reason in decision.skipped.items():
        variable = payload.variables[name]
        by_reason[reason, variable.mount.path].append(variable.key)
    for (reason, path), keys in by_reason.items():
        name, severity, title, remedy = _NOT_MIRRORED[reason]
        yield Finding(name, severity, title, f"{path}: {KEYS}.", remedy, keys)


def _differing(
    payload: Payload, decision: Decision, environ: Mapping[str, str]
) -> Iterator[Finding]:
    differing = [
        name
        for name, text in decision.claims.items()
        if text is not None and environ.get(name, text) != text
    ]
    if differing:
        sources = {payload.variables[name].mount.path for name in differing}
        yield Finding(
            "variables-differ",
            "warning",
            "Variables differ from the mount",
            f"{KEYS} had another value when this process started than in {listed(sources)}.",
            "envFrom is read once: the mirror brings the application the mount's value, but not "
            "to a shell such as this. Give the mount env_from=True if envFrom is the same "
            "ConfigMap; if the environment's value is the one to keep, list it in k8s_env_wins.",
            differing,
        )


def _too_much(decision: Decision, environ: Mapping[str, str]) -> Iterator[Finding]:
    mirrored = {name: text for name, text in decision.claims.items() if text is not None}
    future = {**environ, **mirrored}
    size = sum(
        len(os.fsencode(name)) + len(os.fsencode(text)) + 2 + POINTER
        for name, text in future.items()
    )
    limit = min(os.sysconf("SC_ARG_MAX"), EXEC_AT_MOST)
    if size >= limit:
        yield Finding(
            "environment-too-large",
            "error",
            "The environment is too large for a child process",
            f"With the mounts mirrored it takes {size:,} bytes of {limit:,}: no program can be "
            "started with it.",
            "Leave large keys out with exclude, or mirror=False for a mount.",
        )


def _files(payload: Payload, settings_files: Collection[str]) -> Iterator[Finding]:
    for snapshot in payload.snapshots:
        path = snapshot.mount.path
        unlisted = [
            key
            for key in snapshot.settings_files
            if os.path.realpath(f"{path}/{key}") not in settings_files
        ]
        if unlisted:
            foreign = any(key.endswith(FOREIGN) for key in unlisted)
            yield Finding(
                "file-like-key",
                "note",
                "File-like keys are not variables",
                f"{path}: {KEYS}.",
                "Files that another program reads, such as nginx.conf, are best left out with "
                "exclude; list only settings of this application in settings_files."
                if foreign
                else "They are files: list them in settings_files, and they reload with the mount.",
                unlisted,
            )
