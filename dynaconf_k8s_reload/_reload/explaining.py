"""Explaining a setting of the published generation: mount, file and rule, or another source."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dynaconf.base import Settings

from .. import _dynaconf
from .._environ.rules import NotMirrored
from .._model.explanation import Explanation
from .._source.content import Variable
from .providers import Providers, overlap

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
    found = Providers.of_generation(generation, names).loaded(path, generation.payload)
    if not found:
        return _elsewhere(settings, key, path)
    variable, start = found[-1]
    file, name = variable.source, variable.name
    skipped = decision.skipped.get(name)
    if skipped is NotMirrored.RESERVED:
        return Explanation(key, None, file, f"no setting: {name} is reserved for dynaconf", name)
    if name in decision.shadowed:
        rule = f"{name} of the environment, which k8s_env_wins prefers to {file}"
        return Explanation(key, None, None, rule, name, why_not=str(NotMirrored.SHADOWED))
    rule = _rule(len(path) - len(names.path(name[len(start) :])), found)
    text = decision.claims.get(name)
    why_not = None if text is not None else str(skipped or UNMIRRORED)
    return Explanation(key, variable.mount.path, file, rule, name, text is not None, why_not)


def _rule(depth: int, found: Sequence[tuple[Variable, str]]) -> str:
    """Say how the last of these variables came to be the setting, and what becomes of the others.

    Args:
        depth: how deep in the variable's value the setting is; less than 0 for the other way round.
        found: the variables that are loaded, each with the prefix that it loses.
    """
    (*others, (variable, start)) = found
    rule = variable.source + (f", without the prefix {start}" if start else "")
    if depth > 0:
        rule += ", as a part of what it is nested in"
    elif depth < 0:
        rule += ", which sets a part of it"
    if others:
        rule += f", {'beside' if depth < 0 else 'which beats'} "
        rule += ", ".join(each.source for each, _ in others)
    return rule


def _elsewhere(settings: Settings, key: str, path: tuple[str, ...]) -> Explanation:
    """Explain a setting that no mount provides, though one may have a name without the prefix."""
    generation, names = _dynaconf.attached(settings).generation, _dynaconf.names(settings)
    source = _dynaconf.source_of(settings, path)
    rule = source.told if source else "not set"
    bare = [
        variable
        for variable in generation.payload.variables.values()
        if overlap(names.path(variable.name), path) and not variable.name.startswith(names.prefixes)
    ]
    if not bare:
        return Explanation(key, None, source.file if source else None, rule)
    name, skipped = bare[-1].name, generation.plan.decision.skipped
    rule += f"; {bare[-1].source} is not part of it, since only prefixed names become settings"
    why_not = str(skipped[name]) if name in skipped else None
    return Explanation(key, None, None, rule, name, why_not is None, why_not)
