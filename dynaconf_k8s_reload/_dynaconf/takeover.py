"""From one generation to the next: what a candidate takes over, and its publication."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from dynaconf.base import Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import missing

from .._model.record import replace
from . import state
from .assembly import repeat
from .django_start import hooks_of_start
from .generation import Carried, attached
from .identity import adopt_kept
from .state import REGISTERED_HOOKS, unwrap
from .values import copied

SOURCE = SourceMetadata("code", "set", "global")


def carried_from(live: Settings) -> Carried:
    """Collect what code did to `live` so far."""
    defaults = dict(dict.items(state.get(live, "defaults")))
    return Carried(
        code=set_by_code(live, defaults),
        defaults=defaults,
        envs=tuple(state.get(live, "loaded_envs")),
        modules=_modules_of_code(live),
        hooks=_hooks_of_code(live),
        validators=tuple(state.get(live, "validators")),
        assembly=attached(live).assembly,
        exports=attached(live).exports,
    )


def take_over(candidate: Settings, carried: Carried) -> None:
    """Put what code did into a candidate that is about to load, beneath all that it will load."""
    for key, value in carried.code.items():
        _set(candidate, key, value)
        state.get(candidate, "defaults")[key] = value
    state.put(candidate, "loaded_envs", list(carried.envs))
    at_start = hooks_of_start(carried.assembly)
    for name, held in (("loaded_py_modules", carried.modules), ("post_hooks", carried.hooks)):
        state.put(candidate, name, [each for each in held if each not in at_start])


def _replay_one(live: Settings, candidate: Settings) -> None:
    """Do to a candidate that is complete what code has set in `live` meanwhile."""
    build, assembly = attached(candidate).under_way, attached(live).assembly
    taken, defaults = build.taken, dict(dict.items(state.get(live, "defaults")))
    build.taken = replace(taken, defaults=defaults, assembly=assembly)
    for key, value in defaults.items():
        if value is not taken.defaults.get(key, missing):
            _set(candidate, key, value)
            # The live object's own: a copy would keep the candidate alive.
            state.get(candidate, "defaults")[key] = value
    repeat(candidate, _since(taken, assembly))
    attached(candidate).code, attached(candidate).assembly = set_by_code(live, defaults), assembly
    share_hooks(live, candidate)


def _since(taken: Carried, assembly: Iterable[Any]) -> list[Any]:
    """Give what code has done since; the same operation once more would change nothing."""
    return [operation for operation in assembly if operation not in taken.assembly]


def _is_current_alone(live: Settings, candidate: Settings) -> bool:
    """Tell whether the candidate was built with the environment, files and validators of now."""
    taken = attached(candidate).under_way.taken
    validators = state.get(live, "validators")
    return (
        tuple(state.get(live, "loaded_envs")) == taken.envs
        and not any(operation.loads for operation in _since(taken, attached(live).assembly))
        and len(validators) == len(taken.validators)
        and all(now is then for now, then in zip(validators, taken.validators, strict=True))
    )


def remember_built(settings: Settings) -> None:
    """Note what loading put into a settings object, so that the rest is known to be code's."""
    attachment = attached(settings)
    attachment.built = dict(dict.items(state.get(settings, "defaults")))
    loaded = frozenset(state.get(settings, "loaded_py_modules"))
    modules_of_code = () if attachment.build is None else attachment.build.taken.modules
    attachment.modules = loaded.difference(modules_of_code)


def share_hooks(live: Settings, candidate: Settings) -> None:
    """Have both objects share one mapping of hooks, see ``dynaconf.hooking``."""
    for name in REGISTERED_HOOKS:
        if name in vars(live):
            vars(candidate)[name] = vars(live)[name]


def set_by_code(settings: Settings, defaults: dict[Any, Any]) -> dict[Any, Any]:
    """Give those of dynaconf's defaults that code has set, as opposed to construction."""
    attachment = attached(settings)
    later = {k: v for k, v in defaults.items() if v is not attachment.built.get(k, missing)}
    return {**attachment.code, **later}


def _set(settings: Settings, key: Any, value: Any) -> None:
    settings.set(  # what code set is merged already, and may not be merged once more
        key, copied(value), SOURCE, dotted_lookup=False, validate=False, merge=False
    )


def _modules_of_code(settings: Settings) -> tuple[str, ...]:
    modules = dict.fromkeys(state.get(settings, "loaded_py_modules"))
    return tuple(name for name in modules if name not in attached(settings).modules)


def _hooks_of_code(settings: Settings) -> tuple[Any, ...]:
    """The post hooks except those that a settings file adds again by itself (``@post_hook``)."""
    hooks = tuple(not_of_files(state.get(settings, "post_hooks"), settings))
    for hook in hooks:
        with suppress(AttributeError, TypeError):
            hook._called = False  # as dynaconf's reload() does
    return hooks


def not_of_files(hooks: Iterable[Any], settings: Settings) -> list[Any]:
    """Give the post hooks except those that settings files have added."""
    modules = set(state.get(settings, "loaded_py_modules"))
    return [
        hook
        for hook in hooks
        if not (getattr(hook, "_dynaconf_hook", False) and hook.__module__ in modules)
    ]


def is_current(live: Settings, candidate: Settings) -> bool:
    """Tell whether a candidate, and each of its children, was built with what code has done."""
    return _is_current_alone(live, candidate) and all(
        is_current(*pair(live, candidate, key))
        for key in attached(live).children
        if key in attached(candidate).children
    )


def is_replayed(live: Settings, candidate: Settings) -> bool:
    """Tell whether a candidate has all that code has set and populated, and each child too."""
    return _is_replayed_alone(live, candidate) and all(
        key in attached(candidate).children and is_replayed(*pair(live, candidate, key))
        for key in attached(live).children
    )


def replay_code(live: Settings, candidate: Settings) -> None:
    """Set again, in a candidate and in the children that it has, what code has set meanwhile."""
    _replay_one(live, candidate)
    for key in attached(candidate).children.keys() & attached(live).children.keys():
        replay_code(*pair(live, candidate, key))


def _is_replayed_alone(live: Settings, candidate: Settings) -> bool:
    taken = attached(candidate).under_way.taken
    defaults = dict.items(state.get(live, "defaults"))
    has_set = any(value is not taken.defaults.get(key, missing) for key, value in list(defaults))
    renewed = {export.number for export in attached(candidate).exports}
    has_populated = any(
        export.number not in renewed and export.target() is not None
        for export in attached(live).exports
    )
    return not (has_set or has_populated or _since(taken, attached(live).assembly))


def publish(live: Settings, candidate: Settings) -> None:
    """Hand the candidate's state to the live object, in one assignment, children first.

    Doing it again, after an interruption, is harmless.
    """
    if vars(live) is vars(candidate):
        return
    cache = state.get(candidate, "env_cache")
    for key in attached(live).children:
        publish(*pair(live, candidate, key))
        cache[key] = state.get(live, "env_cache")[key]
    for child in cache.values():  # even those that only validators asked for
        attached(unwrap(child)).build = None
    attachment = attached(candidate)
    if attachment.build is not None:
        remember_built(candidate)
        state.clear_cache(candidate)
        adopt_kept(live, candidate, attachment.build.kept)
        attachment.build = None  # or each generation would keep the one before
    state.end_cache(live)  # a reader may be between the two
    object.__setattr__(live, "__dict__", vars(candidate))


def pair(live: Settings, candidate: Settings, key: str) -> tuple[Settings, Settings]:
    """Give the children by one key, see `Attachment.children`, of both objects."""
    return tuple(unwrap(state.get(side, "env_cache")[key]) for side in (live, candidate))
