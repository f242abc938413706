"""What code did to a live settings object, and how a candidate takes it over."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from dynaconf import Validator
from dynaconf.base import Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import missing

from . import state
from .state import Carried, attached
from .values import copied

SOURCE = SourceMetadata("code", "set", "global")
REGISTERED_HOOKS = ("_registered_hooks", "_REGISTERED_HOOKS")


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
    )


def take_over(candidate: Settings, carried: Carried) -> None:
    """Put it into a candidate that is about to load, beneath everything that it will load."""
    for key, value in carried.code.items():
        _set(candidate, key, value)
        state.get(candidate, "defaults")[key] = value
    state.put(candidate, "loaded_envs", list(carried.envs))
    state.put(candidate, "loaded_py_modules", list(carried.modules))
    state.put(candidate, "post_hooks", list(carried.hooks))


def replay(live: Settings, candidate: Settings) -> None:
    """Do to a candidate that is complete what code has set in `live` meanwhile."""
    taken = attached(candidate).taken
    defaults = dict(dict.items(state.get(live, "defaults")))
    for key, value in defaults.items():
        if value is not taken.defaults.get(key, missing):
            _set(candidate, key, value)
            state.get(candidate, "defaults")[key] = value  # the live object's, to keep no candidate
    attached(candidate).code = set_by_code(live, defaults)
    share_hooks(live, candidate)


def is_current(live: Settings, candidate: Settings) -> bool:
    """Tell whether the candidate was built with the environment and the validators of now."""
    taken = attached(candidate).taken
    validators = state.get(live, "validators")
    return (
        tuple(state.get(live, "loaded_envs")) == taken.envs
        and len(validators) == len(taken.validators)
        and all(now is then for now, then in zip(validators, taken.validators, strict=True))
    )


def remember_built(settings: Settings, modules_of_code: tuple[str, ...] = ()) -> None:
    """Note what loading put into a settings object, so that the rest is known to be code's."""
    attachment = attached(settings)
    attachment.built = dict(dict.items(state.get(settings, "defaults")))
    loaded = frozenset(state.get(settings, "loaded_py_modules"))
    attachment.modules = loaded.difference(modules_of_code)


def share_hooks(live: Settings, candidate: Settings) -> None:
    """Have both objects hold the one mapping of hooks, see ``dynaconf.hooking``."""
    for name in REGISTERED_HOOKS:
        if name in vars(live):
            vars(candidate)[name] = vars(live)[name]


def unbound_among(validators: Iterable[Any]) -> tuple[Any, ...]:
    """Find the validators without an environment, also those within others.

    dynaconf binds such a one, when it first runs, to the environment of that moment: every one up
    to 3.2, since then those that stand in another's ``when``.
    """
    found: list[Any] = []
    for validator in validators:
        parts = [*getattr(validator, "validators", ()), getattr(validator, "when", None)]
        found.extend(unbound_among(part for part in parts if isinstance(part, Validator)))
        if validator.envs is None:
            found.append(validator)
    return tuple(found)


def unbind(validators: Iterable[Any]) -> None:
    """Have validators run in whatever environment they are run in next."""
    for validator in validators:
        validator.envs = None


def set_by_code(settings: Settings, defaults: dict[Any, Any]) -> dict[Any, Any]:
    """Tell dynaconf's defaults that code has set from those that construction left."""
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
    """The post hooks but those that a settings file adds again by itself, with ``@post_hook``."""
    modules = set(state.get(settings, "loaded_py_modules"))
    hooks = tuple(
        hook
        for hook in state.get(settings, "post_hooks")
        if not (getattr(hook, "_dynaconf_hook", False) and hook.__module__ in modules)
    )
    for hook in hooks:
        with suppress(AttributeError, TypeError):
            hook._called = False  # as dynaconf's reload() does
    return hooks
