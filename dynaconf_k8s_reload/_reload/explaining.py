"""Explaining a setting of the published generation: mount, file and rule, or another source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dynaconf.base import Settings

from .. import _dynaconf
from .._dynaconf import Generation
from .._environ.rules import NotMirrored
from .._model.explanation import Explanation
from .._model.names import Names
from .._source.content import Variable

INDEX = re.compile(r"\.(\d+)\]")  # what `Names.path` leaves of ``L[0]``
UNMIRRORED = "its mount is not mirrored (mirror, secret, k8s_mirror)"


def explain_setting(settings: Settings, name: str) -> Explanation:
    """Say where a setting comes from.

    Args:
        settings: the live ones.
        name: a dotted key, or a variable's name.
    """
    generation, names = _dynaconf.attached(settings).generation, _dynaconf.names(settings)
    if name in generation.payload.variables or names.top(name) not in settings.store:
        name = names.keys(name)[-1]  # a variable's, unless there is a setting of that very name
    path = names.path(name)
    key = INDEX.sub(r"[\1]", ".".join(path))
    decision = generation.plan.decision
    found = list(_providers(path, names, generation))
    settable = [
        (variable, start)
        for variable, start in found
        if names.keys(variable.name, prefixed_only=generation.options.prefixed_only(variable.mount))
    ]
    if not settable:
        return _elsewhere(settings, key, path, found, decision.skipped)
    variable, start = settable[-1]
    file, name = variable.source, variable.name
    skipped = decision.skipped.get(name)
    if skipped is NotMirrored.RESERVED:
        return Explanation(key, None, file, f"no setting: {name} is reserved for dynaconf", name)
    if name in decision.shadowed:
        rule = f"{name} of the environment, which k8s_env_wins prefers to {file}"
        return Explanation(key, None, None, rule, name, why_not=str(NotMirrored.SHADOWED))
    rule = f"{file}" + (f", without the prefix {start}" if start else "")
    if len(path) != len(names.path(name[len(start) :])):
        rule += ", as a part of what it is nested in"
    if len(settable) > 1:
        rule += f", which beats {', '.join(each.source for each, _ in settable[:-1])}"
    text = decision.claims.get(name)
    why_not = None if text is not None else str(skipped or UNMIRRORED)
    return Explanation(key, variable.mount.path, file, rule, name, text is not None, why_not)


def _providers(
    path: tuple[str, ...], names: Names, generation: Generation
) -> Iterator[tuple[Variable, str]]:
    """Give what provides a setting, or what holds it, or parts of it, in the order of loading.

    With each comes the prefix that it loses. The last one wins.
    """
    for mount in generation.options.k8s_mounts:
        variables = generation.payload.of_mount(mount)
        plain = [(each, "") for each in variables if not each.name.startswith(names.prefixes)]
        carrying = [
            (each, start)
            for start in names.prefixes
            for each in variables
            if each.name.startswith(start)
        ]
        for variable, start in (*plain, *carrying):
            other = names.path(variable.name[len(start) :])
            if other[: len(path)] == path[: len(other)]:
                yield variable, start


def _elsewhere(
    settings: Settings,
    key: str,
    path: tuple[str, ...],
    found: list[tuple[Variable, str]],
    skipped: Mapping[str, NotMirrored],
) -> Explanation:
    source = _dynaconf.source_of(settings, path)
    rule = source.told if source else "not set"
    if not found:
        return Explanation(key, None, source.file if source else None, rule)
    variable, _ = found[-1]
    rule += f"; {variable.source} is not part of it, since only prefixed names become settings"
    mirrored = variable.name not in skipped
    why_not = None if mirrored else str(skipped[variable.name])
    return Explanation(key, None, None, rule, variable.name, mirrored, why_not)
