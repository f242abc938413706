"""Copies of the settings that code has made with ``populate_obj``: they follow, key by key."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from dynaconf.base import Settings
from dynaconf.utils import missing

from .._model.changes import same
from .._model.record import record, replace
from . import state
from .assembly import NUMBERS
from .generation import attached, attachment_of, published
from .state import REGISTERED_HOOKS
from .takeover import pair
from .values import put_raw, raw


@record
class Export:
    """One object that has been populated; never changed once made.

    Attributes:
        target: gives the object, ``None`` once it is gone.
        arguments: of ``populate_obj``, by their names.
        before: what the object had before it was populated at all: what is merged is merged into
            it, and what is given no more falls back to it.
        put: what it had afterwards.
        hooks: dynaconf's hooks around reading that were registered by then.
        number: where it stands in the order of what code did.
        keys: the settings that it puts as they are, if it names them.
    """

    target: Callable[[], Any]
    arguments: Mapping[str, Any]
    before: Mapping[str, Any]
    put: Mapping[str, Any]
    hooks: Mapping[str, Any]
    number: int
    keys: frozenset[str]

    def __repr__(self) -> str:
        return f"<Export of {len(self.put)} settings>"


def populate(
    settings: Settings, populate_obj: Callable[..., None], target: Any, arguments: dict[str, Any]
) -> None:
    """Populate an object, and note it if the settings are complete."""
    if published(settings) is None:
        populate_obj(target, **arguments)
        return
    names = {str(name).upper() for name in arguments.get("keys") or settings.keys()}
    names |= {name for name in getattr(target, "__dict__", ()) if name.isupper()}
    keys = _keys(settings, arguments)
    tried: list[Export] = []
    while True:
        attachment = attached(settings)
        earlier = [e for e in (*attachment.exports, *tried) if e.target() is target]
        before, hooks = _unpopulated(target, names, earlier), _hooks(settings)
        populate_obj(target, **arguments)
        put, number = _held(target, names), next(NUMBERS)
        reference = earlier[0].target if earlier else _reference_to(target)
        export = Export(reference, arguments, before, put, hooks, number, keys)
        with attachment.generation.owner.publishing:
            if attachment_of(settings) is attachment:
                attachment.exports = (*_others(attachment.exports, target, export), export)
                return
        tried.append(export)  # another generation has been published meanwhile


def _keys(settings: Settings, arguments: Mapping[str, Any]) -> frozenset[str]:
    # What is merged depends on what is there already.
    if arguments.keys() - {"keys"} or settings.get("MERGE_ENABLED_FOR_DYNACONF"):
        return frozenset()
    return frozenset(str(key).upper() for key in arguments.get("keys") or ())


def _others(exports: Sequence[Export], target: object, new: Export) -> list[Export]:
    """Give the exports whose object is still there, without those that a later one covers."""
    covered, kept = new.keys, list[Export]()
    for each in reversed(exports):
        other = each.target()
        if other is target:
            if each.arguments == new.arguments or (each.keys and each.keys <= covered):
                continue
            covered |= each.keys
        if other is not None:
            kept.append(each)
    return kept[::-1]


def renew(live: Settings, candidate: Settings) -> list[Callable[[], None]]:
    """Work out what each populated object will have; give the steps that make it so.

    Raises:
        Exception: whatever dynaconf raises.
    """
    steps: list[Callable[[], None]] = []
    exports: list[Export] = []
    for export in attached(live).exports:
        target = export.target()
        if target is not None:
            earlier = [each for each in exports if each.target() is target]
            scratch: Any = SimpleNamespace(**_beginning(export, earlier))
            with _as_exported(candidate, export):
                candidate.populate_obj(scratch, **export.arguments)
            put = vars(scratch)
            renewed = replace(export, put={**put, **_kept(export, put, live, candidate)})
            exports.append(renewed)
            steps.append(partial(_follow, target, export, renewed))
    attached(candidate).exports = tuple(exports)
    for key in attached(candidate).children.keys() & attached(live).children.keys():
        steps += renew(*pair(live, candidate, key))
    return steps


def _unpopulated(target: Any, names: Iterable[str], earlier: Iterable[Export]) -> dict[str, Any]:
    """Give what an object would have of some names if it had not been populated before."""
    held = _held(target, names)
    for export in earlier:
        for name, value in export.put.items():
            if held.get(name, missing) is value:
                _put_one(held, name, export.before.get(name, missing))
    return held


def _beginning(export: Export, earlier: Iterable[Export]) -> dict[str, Any]:
    """Give what an object will have before it is populated as noted, but after earlier times."""
    held = dict(export.before)
    for each in earlier:
        for name, value in each.put.items():
            if held.get(name, missing) is each.before.get(name, missing):
                held[name] = value
    return held


def _hooks(settings: Settings) -> dict[str, Any]:
    held = {name: vars(settings)[name] for name in REGISTERED_HOOKS if name in vars(settings)}
    return {
        name: {kind: list(each) for kind, each in hooks.items()} for name, hooks in held.items()
    }


@contextmanager
def _as_exported(candidate: Settings, export: Export) -> Iterator[None]:
    """Put a candidate back, for a while, to what it was before code did what followed the export.

    ``DjangoDynaconf`` adds Django's defaults, and a hook around reading, once it has exported.
    """
    store, now = state.get(candidate, "store"), raw(candidate)
    hooks = {name: vars(candidate)[name] for name in REGISTERED_HOOKS if name in vars(candidate)}
    vars(candidate).update({**{name: {} for name in hooks}, **export.hooks})
    for number, changed in reversed(attached(candidate).under_way.changed):
        if number > export.number:
            _put_all(store, changed)
    state.clear_cache(candidate)
    try:
        yield
    finally:
        _put_all(store, now)
        state.clear_cache(candidate)
        vars(candidate).update(hooks)


def _put_all(store: Any, values: Mapping[Any, Any]) -> None:
    for name, value in values.items():
        _put_one(store, name, value)


def _put_one(store: Any, name: Any, value: Any) -> None:
    if value is missing:
        dict.pop(store, name, None)
    else:
        put_raw(store, name, value)


def _kept(
    export: Export, renewed: Mapping[str, Any], live: Settings, candidate: Settings
) -> dict[str, Any]:
    """Give what stays as it is: code may have completed, in place, the copies it was given.

    What a hook changes after the export may come to the same for another value that is exported.
    """
    old, new = raw(live), raw(candidate)
    return {
        name: value
        for name, value in export.put.items()
        if name in new
        and new[name] is old.get(name, missing)
        and _is_completed(value, renewed.get(name, missing))
    }


def _is_completed(value: Any, new: Any) -> bool:
    """Tell whether a value is a new one, apart from what code has added to it."""
    if isinstance(value, dict) and isinstance(new, dict):
        return all(key in value and _is_completed(value[key], new[key]) for key in new)
    if isinstance(value, list) and isinstance(new, list):
        return len(value) >= len(new) and all(map(_is_completed, value, new))
    return same(value, new)


def _follow(target: Any, old: Export, new: Export) -> None:
    for name in {**old.put, **new.put}:
        was, value = old.put.get(name, missing), new.put.get(name, missing)
        if value is was or getattr(target, name, missing) is not was:
            continue  # unchanged, or code has put something else there since
        if value is missing:
            delattr(target, name)
        else:
            setattr(target, name, value)


def _held(target: object, names: Iterable[str]) -> dict[str, Any]:
    found = ((name, getattr(target, name, missing)) for name in names)
    return {name: value for name, value in found if value is not missing}


def _reference_to(target: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(target)
    except TypeError:  # such as an object with slots, or a SimpleNamespace
        return _Held(target)


class _Held:
    """Leads to an object that allows no weak reference, for as long as somebody else has it."""

    def __init__(self, target: object) -> None:
        self._target = target

    def __call__(self) -> Any:
        return self._target if self.references() > _OWN_REFERENCES else None

    def references(self) -> int:
        """Count who has the object, this one and the count itself included."""
        return sys.getrefcount(self._target)


_OWN_REFERENCES = _Held(object()).references()
