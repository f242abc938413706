"""Django made live: wherever it keeps settings of its own, it looks them up in dynaconf's."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from django import conf
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from django.middleware.csrf import CsrfViewMiddleware
from dynaconf import LazySettings
from dynaconf.base import Settings
from dynaconf.contrib import django_dynaconf_v2 as contrib

from . import state
from .django_start import URLS

ORIGINS = ("csrf_trusted_origins_hosts", "allowed_origins_exact", "allowed_origin_subdomains")
MISSING = object()


def django_settings() -> Any:
    """Give ``django.conf.settings`` as of now: dynaconf's, once ``DjangoDynaconf`` has run.

    dynaconf puts itself in the place of the module, so a name imported earlier is another object.
    """
    return import_module("django.conf").settings


def current_settings() -> Any:
    """Give dynaconf's settings.

    A project that exports them into its settings module, with ``populate_obj``, usually keeps the
    live object there as ``DYNACONF``; Django's own settings are copies then.
    """
    settings = django_settings()
    exported = None if is_dynaconf(settings) else getattr(settings, "DYNACONF", None)
    return exported if is_dynaconf(exported) else settings


def is_dynaconf(settings: object) -> bool:
    """Tell whether these are dynaconf's, or Django's override of them."""
    while isinstance(settings, conf.LazySettings | conf.UserSettingsHolder):
        settings = vars(settings).get("_wrapped", vars(settings).get("default_settings"))
    return isinstance(settings, LazySettings | Settings)


def sender_of_changes() -> Any:
    """Give what Django itself names as the sender of ``setting_changed``."""
    return django_settings()._wrapped.__class__


def make_live(settings: Any) -> None:
    """Make Django follow dynaconf's settings, in place; call it once in a process."""
    if settings is django_settings():
        _follow_module(settings)
        original = contrib.django_settings
        boot = vars(original)["_wrapped"]
        _follow_original(original, settings, boot)
        _follow_secret_key(boot, settings)
    else:
        _follow_exported()
    _follow_csrf()


def _follow_exported() -> None:
    """Make Django's own settings object look up what the settings module has by now."""
    original = django_settings()
    boot = vars(original)["_wrapped"]
    module = sys.modules[boot.SETTINGS_MODULE]
    for name in filter(str.isupper, dir(module)):  # beneath it are Django's defaults only
        if hasattr(global_settings, name):
            setattr(boot, name, getattr(global_settings, name))
        else:
            vars(boot).pop(name, None)
    _follow_original(original, ExportedSettings(module, boot), boot)


class ExportedSettings:
    """What the settings module has, and beneath it what Django has without one."""

    def __init__(self, module: ModuleType, boot: Any) -> None:
        vars(self).update(module=module, boot=boot)

    def __getattr__(self, name: str) -> Any:
        value = getattr(vars(self)["module"], name, MISSING)
        return getattr(vars(self)["boot"], name) if value is MISSING else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(vars(self)["module"], name, value)

    def __dir__(self) -> list[str]:
        held = {*dir(vars(self)["module"]), *dir(vars(self)["boot"])}
        return sorted(filter(str.isupper, held))


def _follow_original(original: Any, settings: Any, boot: Any) -> None:
    """Make Django's own settings object follow.

    Modules that were imported before ``DjangoDynaconf`` ran hold it: ``django.http.request``, for
    one, which reads ``ALLOWED_HOSTS``.
    """
    FollowingSettings.live, FollowingSettings.boot = settings, boot
    # A lazy object answers `__class__` for what it wraps, so it cannot be assigned to.
    object.__dict__["__class__"].__set__(original, FollowingSettings)


def _follow_secret_key(boot: Any, settings: Any) -> None:
    """Have what Django keeps of the start say whether there is a ``SECRET_KEY``.

    At each look-up of a setting dynaconf since 3.3 asks Django, which refuses an empty one.
    """

    class Boot(type(boot)):  # type: ignore[misc] # reason: Django is untyped
        """Looks ``SECRET_KEY`` up in dynaconf's store; through dynaconf it would be asked again."""

        @property
        def SECRET_KEY(self) -> Any:  # noqa: N802 -- because the name is Django's
            """The key of the current generation."""
            return dict.get(state.get(state.unwrap(settings), "store"), "SECRET_KEY")

    boot.__class__ = Boot


class FollowingSettings(conf.LazySettings):  # type: ignore[misc] # reason: Django is untyped
    """Looks up every setting in dynaconf's, as long as nobody overrides it here.

    Attributes:
        live: dynaconf's settings.
        boot: what Django's object wrapped at the start.
    """

    __module__ = conf.__name__  # Django finds its translations beside this module
    live: Any
    boot: Any

    def __getattribute__(self, name: str) -> Any:
        # Before the instance's dictionary: dynaconf's own hook makes Django cache values there.
        if name.isupper() and not name.startswith("_"):
            return self.__getattr__(name)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        if not name.isupper():
            return super().__getattr__(name)
        value = _overridden(self._wrapped, self.boot, name)
        if value is MISSING:
            value = getattr(self.live, name)
        if name in URLS and value is not None:
            return self._add_script_prefix(value)
        if name == "SECRET_KEY" and not value:
            raise ImproperlyConfigured("The SECRET_KEY setting must not be empty.")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name.isupper() and self._wrapped is self.boot:
            setattr(self.live, name, value)
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return dir(self.live)


def _overridden(holder: Any, boot: Any, name: str) -> Any:
    """Find a setting among those that ``override_settings`` has laid over Django's own object."""
    while holder is not boot:
        if name in vars(holder):
            return vars(holder)[name]
        if name in holder._deleted:
            raise AttributeError(name)
        holder = holder.default_settings
    return MISSING


def _follow_module(settings: Any) -> None:
    """Make the attributes of the settings module follow."""
    module = sys.modules[contrib.django_settings.SETTINGS_MODULE]
    populated = {name: vars(module)[name] for name in _names(settings) if name in vars(module)}

    class FollowingModule(ModuleType):
        """Looks up every setting in dynaconf's, unless code has assigned it since."""

        def __getattribute__(self, name: str) -> Any:
            if name.isupper() and not name.startswith("_"):
                value = vars(self).get(name, MISSING)
                if value is populated.get(name, MISSING):
                    return getattr(settings, name)
            return super().__getattribute__(name)

        def __dir__(self) -> list[str]:
            return sorted({*vars(self).keys() - populated.keys(), *_names(settings)})

    module.__class__ = FollowingModule


def _names(settings: Any) -> list[str]:
    return [name for name in dir(settings) if name.isupper() and not name.startswith("_")]


def _follow_csrf() -> None:
    """Have ``CSRF_TRUSTED_ORIGINS`` read at each request; the middleware would keep it for good."""
    for name in ORIGINS:
        cached = vars(CsrfViewMiddleware)[name]
        setattr(CsrfViewMiddleware, name, property(cached.func))
