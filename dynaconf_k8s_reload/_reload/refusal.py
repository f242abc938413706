"""Saying why an update was refused without saying any value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dynaconf import ValidationError

from .._model.errors import K8sReloadError, RedactedCause, ReloadRejected
from .._source.content import Payload

NAMED_AT_MOST = 10


def explain(error: BaseException, mounts: Iterable[str], changed: Iterable[str]) -> ReloadRejected:
    """Make the `ReloadRejected` of a failure: names of mounts, keys and settings, no message.

    Args:
        error: what was raised; only this package's own words are repeated.
        mounts: the directories that were read.
        changed: the keys that differ from the generation that goes on serving.
    """
    keys = sorted(changed)
    named = ", ".join(keys[:NAMED_AT_MOST]) + (", …" if len(keys) > NAMED_AT_MOST else "")
    rejected = ReloadRejected(
        f"update of {', '.join(mounts)} rejected: {_reason(error)}"
        + (f"; changed keys: {named}" if named else "")
        + "; the last good generation keeps serving, correct the content of the mount"
    )
    rejected.__cause__ = RedactedCause.of(error)
    return rejected


def changed_names(old: Payload, new: Payload) -> list[str]:
    """The variables and settings files that differ between two payloads."""
    contents: list[dict[str, Any]] = []
    for payload in (old, new):
        named: dict[str, Any] = {name: v.content for name, v in payload.variables.items()}
        for snapshot in payload.snapshots:
            named.update(snapshot.settings_files)
        contents.append(named)
    before, after = contents
    names = {**before, **after}
    return [name for name in names if before.get(name) != after.get(name)]


def _reason(error: BaseException) -> str:
    if isinstance(error, K8sReloadError):
        return str(error)
    if isinstance(error, ValidationError):
        validators = [detail[0] for detail in getattr(error, "details", None) or []]
        described = "; ".join(dict.fromkeys(map(_describe, validators)))
        if described:
            return f"a validator refuses {described}"
    return str(RedactedCause.of(error))


def _describe(validator: Any) -> str:
    parts = getattr(validator, "validators", None)
    if parts:  # two validators joined by | or &
        return ", ".join(map(_describe, parts))
    names = ", ".join(map(str, validator.names))
    rules = [
        *(["required"] if validator.must_exist else []),
        *validator.operations,
        *([_name(validator.condition)] if validator.condition is not None else []),
    ]
    return f"{names} ({', '.join(rules) or 'its value'})"


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
