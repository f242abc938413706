"""Copies of the settings that code has made with ``populate_obj``: they follow, key by key."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from dynaconf.base import Settings
from dynaconf.utils import missing

from .generation import attached, attachment_of
from .values import raw


@dataclass(frozen=True, repr=False)
class Export:
    """One object that has been populated.

    Attributes:
        target: gives the object, ``None`` once it is gone.
        arguments: of ``populate_obj``, by their names.
        before: what the object had of these keys before, for what is merged.
        put: what it was given.
    """

    target: Callable[[], Any]
    arguments: Mapping[str, Any]
    before: Mapping[str, Any]
    put: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Export of {len(self.put)} settings>"


def populate(
    settings: Settings, populate_obj: Callable[..., None], target: Any, arguments: dict[str, Any]
) -> None:
    """Populate an object, and note it if the settings are complete."""
    attachment = attachment_of(settings)
    if attachment is None or attachment.build is not None:
        populate_obj(target, **arguments)
        return
    names = [str(name).upper() for name in arguments.get("keys") or settings.keys()]
    before = _held(target, names)
    populate_obj(target, **arguments)
    export = Export(_reference_to(target), arguments, before, _held(target, names))
    attachment.exports = (*_others(attachment.exports, target), export)


def renew(live: Settings, candidate: Settings) -> list[Callable[[], None]]:
    """Work out what each populated object will have; what is given makes it so.

    Raises:
        Exception: whatever dynaconf raises.
    """
    steps: list[Callable[[], None]] = []
    exports: list[Export] = []
    for export in attached(live).exports:
        target = export.target()
        if target is not None:
            scratch: Any = SimpleNamespace(**export.before)
            candidate.populate_obj(scratch, **export.arguments)
            renewed = replace(export, put={**vars(scratch), **_kept(export, live, candidate)})
            exports.append(renewed)
            steps.append(partial(_follow, target, export, renewed))
    attached(candidate).exports = tuple(exports)
    return steps


def _kept(export: Export, live: Settings, candidate: Settings) -> dict[str, Any]:
    """Give what stays: ``populate_obj`` may have made copies, which code completes in place."""
    old, new = raw(live), raw(candidate)
    return {
        name: value
        for name, value in export.put.items()
        if name in new and new[name] is old.get(name, missing)
    }


def _follow(target: Any, old: Export, new: Export) -> None:
    for name in {**old.put, **new.put}:
        was, value = old.put.get(name, missing), new.put.get(name, missing)
        if value is was or getattr(target, name, missing) is not was:
            continue  # unchanged, or code has put something else there since
        if value is missing:
            delattr(target, name)
        else:
            setattr(target, name, value)


def _others(exports: tuple[Export, ...], target: object) -> list[Export]:
    return [each for each in exports if each.target() not in (None, target)]


def _held(target: object, names: Iterable[str]) -> dict[str, Any]:
    found = ((name, getattr(target, name, missing)) for name in names)
    return {name: value for name, value in found if value is not missing}


def _reference_to(target: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(target)
    except TypeError:  # such as an object with slots
        return lambda: target
