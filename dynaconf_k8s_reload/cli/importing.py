"""An application's settings, imported by their name: ``package.module:settings``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any

from dynaconf.base import LazySettings, Settings

from .. import _dynaconf
from .patience import UnfinishedError, import_patience, loading_patience
from .screen import CannotRunError

DJANGOS = "DJANGO_SETTINGS_MODULE"  # the variable that names the settings of a project
HOW = "write package.module:settings"


def find(name: str) -> tuple[Any, bool]:
    """Give the settings that ``package.module:settings`` names, loaded, without their wrapper.

    Also tells whether the import of the module came to its end.

    ``package.module`` will do where there is one settings object in it; a Flask app stands for its
    settings; ``django.conf:settings`` needs ``DJANGO_SETTINGS_MODULE``.

    Raises:
        CannotRunError: the object does not exist.
        UnfinishedError: the module goes on and on without settings, or these load for ever.
    """
    module_name, colon, attribute = name.partition(":")
    if not all(module_name.split(".")) or (colon and not attribute):
        raise CannotRunError(f"--settings {name}: {HOW}")
    with suppress(FileNotFoundError):  # a working directory that is gone holds no module
        sys.path.insert(0, os.getcwd())
    path = attribute.split(".") if attribute else []
    module, finished = _imported(module_name, path[0] if path else "settings")
    with loading_patience(name):
        found = _attribute(module, path)
        if type(found).__module__ == "django.conf" and DJANGOS in os.environ:
            found.is_overridden("DEBUG")  # loads them; dynaconf's take their place then
            found = _attribute(module, path)
        return _dynaconf.unwrap(found), finished


def _imported(name: str, attribute: str) -> tuple[Any, bool]:
    try:
        with import_patience(name, attribute):
            return importlib.import_module(name), True
    except UnfinishedError as error:
        if error.module is None:
            raise
        return error.module, False
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise CannotRunError(f"there is no module {error.name}; {_how(name)}") from None


def _how(name: str) -> str:
    """Say what to do about a module that does not exist."""
    package, _, attribute = name.rpartition(".")
    if hasattr(sys.modules.get(package), attribute):  # with a dot where a colon is meant
        return f"write {package}:{attribute}"
    return HOW if name.endswith(".py") or "/" in name else "run it where it can be imported"


def _attribute(module: Any, path: Sequence[str]) -> Any:
    found = module
    for part in path or [_only_settings(module)]:
        name = part.removesuffix("()")  # as gunicorn and Flask call a factory
        if not hasattr(found, name):
            raise CannotRunError(f"{module.__name__} has no {part}; {HOW}")
        found = getattr(found, name)
        if isinstance(found, FunctionType):
            raise CannotRunError(
                f"{module.__name__}:{name} is a function; call it in a module (app = {name}()) and "
                "name module:app"
            )
    return _settings_of(found)


def _settings_of(found: Any) -> Any:
    """Give the settings of a Flask app or of its configuration, and all else as it is."""
    if not sys.modules.get("flask"):
        return found
    from .._dynaconf.flask import settings_of  # noqa: PLC0415 -- because Flask need not be installed

    settings = settings_of(found)
    return found if settings is None else settings


def _only_settings(module: Any) -> str:
    """Name the one settings object of a module; of several, the one called ``settings``."""
    held = {
        name: value
        for name, value in vars(module).items()
        if issubclass(type(_settings_of(value)), (LazySettings, Settings))
    }
    if "settings" in held:
        return "settings"
    if len({id(value) for value in held.values()}) != 1:
        raise CannotRunError(
            f"{module.__name__} has {'several' if held else 'no'} settings objects; {HOW}"
        )
    return str(next(iter(held)))
