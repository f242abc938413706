"""What this package assumes of Django's private ground, and of dynaconf's way to it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

pytest.importorskip("django", reason="Django is not installed")

from django import conf
from django.conf import global_settings
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.functional import cached_property, empty
from dynaconf.base import Settings
from dynaconf.contrib import django_dynaconf_v2 as contrib

from dynaconf_k8s_reload._dynaconf import django_start
from dynaconf_k8s_reload._dynaconf.django import ORIGINS, is_dynaconf
from dynaconf_k8s_reload._dynaconf.django_start import URLS


def configured(**settings: Any) -> Any:
    """Settings of Django's own, apart from those of the process."""
    made = conf.LazySettings()
    made.configure(**settings)
    return made


def test_settings_are_wrapped_as_they_are_looked_for() -> None:
    """``_wrapped`` is in the instance, and holds the defaults beneath it and what was deleted."""
    assert vars(conf.LazySettings())["_wrapped"] is empty
    held = vars(configured(A=1))["_wrapped"]
    assert isinstance(held, conf.UserSettingsHolder)
    assert held.default_settings is global_settings
    override = conf.UserSettingsHolder(held)
    override.A = 2
    assert (vars(override)["A"], override.default_settings) == (2, held)
    del override.A
    assert "A" in override._deleted


def test_dynaconfs_settings_are_told_from_djangos() -> None:
    """Also through an override of them, which Django lays over whatever it wraps."""
    assert not is_dynaconf(configured(A=1))
    assert is_dynaconf(Settings(A=1))
    lazy = conf.LazySettings()
    vars(lazy)["_wrapped"] = conf.UserSettingsHolder(Settings(A=1))
    assert is_dynaconf(lazy)


def test_a_setting_is_kept_in_the_instance_once_it_was_read() -> None:
    """So what follows must be found before the instance's dictionary is looked at."""
    settings = configured(A=1)
    assert "A" not in vars(settings)
    assert (settings.A, vars(settings)["A"]) == (1, 1)


def test_the_class_of_a_lazy_object_is_set_past_its_property() -> None:
    """``__class__`` of Django's settings answers for what they wrap."""
    settings = configured(A=1)
    object.__dict__["__class__"].__set__(settings, type("Other", (conf.LazySettings,), {}))
    assert type(settings).__name__ == "Other"
    assert settings.__class__ is conf.UserSettingsHolder


def test_urls_have_the_prefix_of_the_script() -> None:
    """Django adds it to two settings at each read, by a method of its lazy settings."""
    settings = configured(MEDIA_URL="media/", STATIC_URL="static/")
    for name in URLS:
        assert getattr(settings, name) == settings._add_script_prefix(f"{name[:-4].lower()}/")
    assert type(settings)._add_script_prefix("https://a/") == "https://a/"


def test_the_middleware_keeps_origins_in_cached_properties() -> None:
    """Each of the three is a ``cached_property``, whose function reads the settings."""
    for name in ORIGINS:
        cached = vars(CsrfViewMiddleware)[name]
        assert isinstance(cached, cached_property)
        assert "CSRF_TRUSTED_ORIGINS" in {
            *cached.func.__code__.co_names,
            *(name for each in _nested(cached.func.__code__) for name in each.co_names),
        }


def test_dynaconf_starts_django_in_the_function_that_is_looked_at() -> None:
    """Its module, two local variables, the setting that it adds, and its fix of URLs since 3.3."""
    assert contrib.__name__ == django_start.CONTRIB
    assert global_settings.__name__ == django_start.DEFAULTS
    code = contrib.load.__code__
    assert {"settings_module_name", "options"} <= {*code.co_varnames, *code.co_cellvars}
    assert f'"{django_start.ORIGINAL}"' in inspect.getsource(contrib.load)
    assert hasattr(contrib, django_start.FIX) == hasattr(Settings(), "__core__")
    assert isinstance(contrib.django_settings, conf.LazySettings)


def _nested(code: Any) -> list[Any]:
    return [each for each in code.co_consts if inspect.iscode(each)]
