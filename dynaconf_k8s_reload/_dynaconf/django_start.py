"""What ``DjangoDynaconf`` does once its settings stand, done again to each candidate.

It adds Django's own defaults of the names that nothing has set, and runs the hooks that stand
beside the settings module. Both come after loading: a source that merges, and a hook that asks
whether a name is set, must not meet these defaults (``dynaconf.contrib.django_dynaconf_v2``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterable, Mapping
from typing import Any

from dynaconf import Validator
from dynaconf.base import Settings
from dynaconf.loaders import execute_hooks

from . import state
from .assembly import Operation, noting
from .generation import attached, published
from .values import flat_values

CONTRIB = "dynaconf.contrib.django_dynaconf_v2"
CONF = "django.conf"
DEFAULTS = "django.conf.global_settings"
FIX = "fix_absolute_urls"
URLS = ("MEDIA_URL", "STATIC_URL")  # before these Django puts the prefix of the script
ORIGINAL = "ORIGINAL_SETTINGS_MODULE"


def note_start(settings: Settings, data: Mapping[str, Any]) -> None:
    """Note what is being added, if the caller's caller is ``DjangoDynaconf``: it is not code's."""
    frame = sys._getframe(2)
    attachment = published(settings)
    if frame.f_globals.get("__name__") != CONTRIB or attachment is None:
        return
    defaults = dict.items(state.get(settings, "defaults"))
    attachment.built = {**attachment.built, **{k: v for k, v in defaults if k in data}}
    attachment.values = flat_values(settings)  # before Django fills its `DATABASES` in place
    if ORIGINAL in data:
        module, options = frame.f_locals["settings_module_name"], frame.f_locals["options"]
        start = Operation(
            _start,
            (module, _named(state.get(settings, "validators"))),
            {**_constants(module, options, attachment.generation.keywords), **_own(data)},
            lasting=True,
        )
        attachment.assembly = (*attachment.assembly, start)


def hooks_of_start(assembly: Iterable[Operation]) -> list[Any]:
    """Give the hooks that run at the start only, and the modules that have some."""
    modules = [each.arguments[0] for each in assembly if each.function is _start]
    return [*modules, getattr(sys.modules[CONTRIB], FIX, None)] if modules else []


def fill_in(settings: Settings) -> None:
    """Add the defaults that were left out while validators ran."""
    for operation in attached(settings).assembly:
        if operation.function is _start:
            with noting(settings, operation):
                _add(settings, operation.keywords)


def _constants(
    module: str, options: Mapping[str, Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Give what the settings module says, and so Django's own settings, whatever a mount deletes.

    Some of it dynaconf does not have: ``REDIS_URL``, which is the name of one of its own options.
    """
    said = vars(sys.modules[module])
    return {
        name: options[name]
        for name in options
        if name.isupper() and (name in said or name not in keywords)
    }


def _own(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is not one of Django's defaults, such as ``ORIGINAL_SETTINGS_MODULE``."""
    return {name: data[name] for name in data if not hasattr(sys.modules[DEFAULTS], name)}


def _named(validators: Iterable[Validator]) -> list[str]:
    """Give the settings that validators name: these judge them before the defaults are there."""
    names: list[str] = []
    for validator in validators:
        parts = getattr(validator, "validators", None)  # of one that combines two
        names += [name.upper() for name in validator.names] if parts is None else _named(parts)
        if isinstance(validator.when, Validator):
            names += _named([validator.when])
    return names


def _start(settings: Settings, module: str, named: list[str], **own: Any) -> None:
    """Do what follows the construction in ``DjangoDynaconf``."""
    _add(settings, own, left=named)
    contrib: Any = sys.modules[CONTRIB]
    if hasattr(contrib, FIX):  # since 3.3
        settings.update(contrib.fix_absolute_urls(settings))
        state.get(settings, "post_hooks").append(contrib.fix_absolute_urls)
    file = os.path.abspath(str(sys.modules[module].__file__))
    execute_hooks("post", settings, settings.current_env, modules=[module], files=[file])
    state.get(settings, "loaded_py_modules").insert(0, module)


def _add(settings: Settings, own: Mapping[str, Any], left: Container[str] = ()) -> None:
    """Add Django's defaults, and the project's own, of what is not set."""
    contrib: Any = sys.modules[CONTRIB]
    defaults = {
        name: value for name, value in vars(sys.modules[DEFAULTS]).items() if name.isupper()
    }
    if not hasattr(contrib, FIX):  # up to 3.2 it asks Django's own settings
        prefix = type(contrib.django_settings)._add_script_prefix
        defaults |= {name: prefix(defaults[name]) for name in URLS if defaults[name] is not None}
    held = state.get(settings, "store")
    if dict.__contains__(held, "MAILERS"):  # Django 6.1 then lists the older settings no more
        for name in getattr(sys.modules[CONF], "DEPRECATED_EMAIL_SETTINGS", ()):
            defaults.pop(name, None)
    settings.update(
        {
            name: value
            for name, value in {**defaults, **own}.items()
            if name not in left and not dict.__contains__(held, name)
        }
    )
