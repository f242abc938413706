"""What `DjangoDynaconf` does at the start is done anew: by two variables, without the app."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from django_project import Project, assert_alike
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("django", reason="Django is not installed")

BY_VARIABLES = """
import os, re
os.environ['DJANGO_SETTINGS_MODULE'] = 'started.settings'
os.environ['LOADERS_FOR_DYNACONF'] = '["dynaconf_k8s_reload.loader"]'
os.environ['K8S_MOUNTS_FOR_DYNACONF'] = os.environ['MOUNTS']
os.environ['K8S_WATCH_FOR_DYNACONF'] = 'false'

def show(holder):
    return {
        name: re.sub(' at 0x[0-9a-f]+', '', repr(value))
        for name in dir(holder)
        if name.isupper() and not name.startswith("_")
        for value in [getattr(holder, name)]
        if isinstance(value, (str, int, list, tuple, dict, type(None)))
    }
"""
BOTH = "[show(settings), show(module)]"
FIRST = {
    "DJANGO_LANGUAGE_CODE": "fr",
    "DJANGO_MEDIA_URL": "media/",
    "DJANGO_REDIS_URL": "redis://one",
    "DJANGO_TIME_ZONE": "UTC",
}
UPDATES: list[dict[str, str]] = [
    {**FIRST, "DJANGO_PASSWORD_HASHERS": '@merge ["shop.Hasher"]'},
    {"DJANGO_DATE_FORMAT": "Y", "DJANGO_STATIC_URL": "files/"},
    {"DJANGO_SINGLE_SIGN_ON": "true", "DJANGO_FIXTURE_DIRS": '["/own"]'},
    {"DJANGO_SINGLE_SIGN_ON": "true", "DJANGO_LOGIN_URL": "/login/", "DJANGO_REDIS_URL": "r"},
    {"DJANGO_MAILERS__default__BACKEND": "shop.Mails"},  # without Django's defaults of EMAIL_*
    {},
]


@pytest.fixture
def project(volume: AtomicWriter) -> Iterator[Project]:
    """The project, with settings of which each has a default of Django or dynaconf beneath it."""
    volume.write(FIRST)
    with Project(volume.directory, first=BY_VARIABLES) as running:
        yield running


def test_all_settings_are_those_of_a_fresh_process(volume: AtomicWriter, project: Project) -> None:
    """In `settings` and in the module: Django's defaults come last, and lie beneath nothing."""
    for update in UPDATES:
        volume.write(update)
        assert project("reloader.reload().outcome") == "applied"
        with Project(volume.directory, first=BY_VARIABLES) as fresh:
            assert_alike(project(BOTH), fresh(BOTH))


def test_what_a_mount_deletes_is_the_project_s_again(
    volume: AtomicWriter, project: Project
) -> None:
    """``@del`` takes a setting out of dynaconf; Django's own settings still have it."""
    volume.write({"DJANGO_REDIS_URL": "@del", "DJANGO_SECRET_KEY": "@del"})
    assert project("reloader.reload().outcome") == "applied"
    with Project(volume.directory, first=BY_VARIABLES) as fresh:
        assert_alike(project(BOTH), fresh(BOTH))


def test_a_validator_does_not_find_a_default_of_django(
    volume: AtomicWriter, project: Project
) -> None:
    """It refuses what it refuses at the start, when the defaults are not there yet."""
    needed = {"DJANGO_NEEDS_CHARSET": "true"}
    volume.write({**needed, "DJANGO_DEFAULT_CHARSET": "utf-8"})
    assert project("reloader.reload().outcome") == "applied"
    volume.write(needed)
    assert project("reloader.reload().outcome") == "rejected"


def test_django_defaults_outlast_a_reload_of_dynaconf(
    volume: AtomicWriter, project: Project
) -> None:
    """`settings.reload()` drops what code has added, not what `DjangoDynaconf` has."""
    project.do("settings.reload()")
    volume.write({})
    assert project("reloader.reload().outcome") == "applied"
    assert project("[settings.LANGUAGE_CODE, settings.ORIGINAL_SETTINGS_MODULE]") == [
        "en-us",
        "started.settings",
    ]


def test_a_hook_around_reading_is_asked_by_readers_only(
    volume: AtomicWriter, project: Project
) -> None:
    """One that refuses to give a setting, as Django does without SECRET_KEY, refuses no update."""
    refuse = """
from dynaconf.hooking import Action, Hook
def refuse(held, value, key, *_, **__):
    if key == "LOCKED":
        raise RuntimeError("nobody reads this")
    return value
settings._registered_hooks.setdefault(Action.AFTER_GET, []).append(Hook(refuse))
"""
    if project("hasattr(settings, '_registered_hooks')"):  # dynaconf before 3.3 has none in Django
        project.do(refuse)
    volume.write({"DJANGO_LOCKED": "1", "DJANGO_OPEN": json.dumps([1])})
    assert project("reloader.reload().outcome") == "applied"
    assert project("module.LOCKED") == 1
