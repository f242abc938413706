"""Dynaconf's defaults and the arguments of ``Dynaconf(...)``, put into each candidate at once.

Nothing of this depends on what a ConfigMap holds, so for a small one it is most of a reload.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from dynaconf import default_settings
from dynaconf.base import Settings
from dynaconf.loaders import default_loader
from dynaconf.loaders.base import SourceMetadata

from . import state
from .containers import kinds
from .folding import MISSING
from .generation import attached
from .putting import FOLLOWING, INTERNAL
from .values import OPTIONS, SCALARS, copied, is_plain

DEFAULTS = SourceMetadata("set_method", "default_settings")
KEYWORDS = SourceMetadata("set_method", "init_kwargs")
USUAL = (("NESTED_SEPARATOR_FOR_DYNACONF", "__"), ("INDEX_SEPARATOR_FOR_DYNACONF", "___"))

_listed: list[tuple[dict[str, Any], list[tuple[str, Any, bool]]]] = []  # at most one


def put_keyword(settings: Any, key: Any, value: Any) -> bool:
    """Set an argument of ``Dynaconf(...)`` on a new object, or tell that dynaconf has to."""
    store = state.get(settings, "store")
    is_name = type(key) is str and key.isidentifier() and key.isascii() and "__" not in key
    has_own_separator = any((dict.get(store, option) or usual) != usual for option, usual in USUAL)
    if not is_name or dict.__contains__(store, key.upper()) or has_own_separator:
        return False
    stored = _stored(settings, value, kinds(settings)) if is_plain(value) else MISSING
    if stored is MISSING:
        return False
    name = key.upper()
    _put(store, name, stored)
    state.get(settings, "loaded_by_loaders").setdefault(KEYWORDS, {})[name] = value
    if state.UP_TO_3_2 or name in INTERNAL:
        vars(settings)[name] = stored
    return True


def put_defaults(settings: Any) -> None:
    """Set dynaconf's own defaults where nothing is set (``dynaconf.loaders.default_loader``)."""
    store, given = state.get(settings, "store"), state.get(settings, "defaults")
    loaded = state.get(settings, "loaded_by_loaders").setdefault(DEFAULTS, {})
    attributes, known, containers = vars(settings), dict.keys(store), kinds(settings)
    for key, value, may_store in _defaults():
        if key in known or dict.__contains__(given, key):
            continue
        stored = value
        if may_store and type(value) in SCALARS:
            dict.__setitem__(store, key, value)
        elif may_store and (stored := _stored(settings, value, containers)) is not MISSING:
            _put(store, key, stored)
        else:
            settings.set(key, value, loader_identifier="default_settings", validate=False)
            continue
        loaded[key] = attributes[key] = stored
    state.get(settings, "deleted").difference_update(loaded)
    state.clear_cache(settings)


def _defaults() -> list[tuple[str, Any, bool]]:
    """List dynaconf's defaults, each with whether it is plain; again if they have changed."""
    current = vars(default_settings)
    if not _listed or _listed[0][0] != current:
        found = [(key, value, is_plain(value)) for key, value in current.items() if key.isupper()]
        _listed[:] = [(dict(current), found)]
    return _listed[0][1]


def _stored(settings: Any, value: Any, containers: dict[Any, Any]) -> Any:
    """Give what dynaconf stores for a plain value, `MISSING` where only dynaconf knows."""
    if type(value) in SCALARS:
        return value
    if state.UP_TO_3_2 and type(value) is list:
        return copied(value)
    kind = containers.get(type(value))
    return MISSING if kind is None else kind(value, box_settings=settings)


def _put(store: Any, name: str, stored: Any) -> None:
    if state.UP_TO_3_2 and type(stored) is list:
        store[name] = stored  # which keeps a `BoxList` of it, while the attribute is the list
    else:
        dict.__setitem__(store, name, stored)


def beneath_ours(settings: Any, name: str) -> Any:
    """Give what the class of some settings has of a name, without what our own class adds."""
    classes = (kind for kind in type(settings).__mro__ if kind.__name__ != FOLLOWING)
    return next(vars(kind)[name] for kind in classes if name in vars(kind))


def loading(settings: Any) -> Callable[..., None]:
    """Give dynaconf's ``Settings.execute_loaders``, for a candidate that has its defaults.

    It begins with `default_loader`, which asks for each option whether it is set and whether the
    environment has it; here it is the same function with another loader in that place.
    """
    defined = beneath_ours(settings, "execute_loaders")
    if defined is not Settings.execute_loaders:
        return lambda *args, **kwargs: defined(settings, *args, **kwargs)
    names = {**defined.__globals__, default_loader.__name__: _load_defaults}
    function = FunctionType(defined.__code__, names, argdefs=defined.__defaults__)
    return lambda *args, **kwargs: function(settings, *args, **kwargs)


def _load_defaults(settings: Any, defaults: Any = None) -> None:
    """Run dynaconf's own only where the environment or ``.env`` may set one, or one is missing."""
    store, plan = state.get(settings, "store"), attached(settings).generation.plan
    switcher = (defaults or {}).get("ENV_SWITCHER_FOR_DYNACONF", "ENV_FOR_DYNACONF")
    is_said = (
        dict.get(store, "LOAD_DOTENV") is True
        or str(switcher).upper() in plan.environment
        or not OPTIONS.isdisjoint(plan.unclaimed)
        or not OPTIONS.isdisjoint(plan.environment.provided)
    )
    names = {str(key).upper() for key in defaults or ()}
    if is_said or state.get(settings, "deleted") or not names.union(OPTIONS) <= dict.keys(store):
        default_loader(settings, defaults)
