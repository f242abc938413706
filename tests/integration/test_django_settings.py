"""What becomes of each of Django's settings when it changes: measured, and written in the docs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from django_project import Project
from docs_site import DOCS
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("django", reason="Django is not installed")


class Probe(NamedTuple):
    """A setting, another value for it, and an expression for what Django makes of it."""

    setting: str
    value: Any
    expression: str


TOKEN = f"HTTP_COOKIE='csrftoken={'a' * 32}', HTTP_X_CSRFTOKEN='{'a' * 32}'"
FIRST = {"ALLOWED_HOSTS": ["testserver", "old"], "STATIC_URL": "/static/"}
FILES = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
PROBES = [
    Probe("ALLOWED_HOSTS", ["testserver"], "ask('/flags/', host='old')[0]"),
    Probe("APPEND_SLASH", False, "ask('/flags')[0]"),
    Probe(
        "CACHES",
        {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
        "type(django.core.cache.caches['default']).__name__",
    ),
    Probe(
        "CSRF_TRUSTED_ORIGINS",
        ["https://new.example"],
        f"ask('/post/', method='POST', HTTP_ORIGIN='https://new.example', {TOKEN})[0]",
    ),
    Probe("DATABASES__default__NAME", "other", "str(django.db.connection.settings_dict['NAME'])"),
    Probe("DATABASE_ROUTERS", ["builtins.object"], "len(django.db.router.routers)"),
    Probe("DATE_FORMAT", "Y", "django.utils.formats.get_format('DATE_FORMAT', use_l10n=False)"),
    Probe("DEBUG", True, "settings.DEBUG"),
    Probe("DEFAULT_FROM_EMAIL", "a@b.example", "django.core.mail.EmailMessage().from_email"),
    Probe("EMAIL_HOST", "mail.example", "ask('/email/')[1]"),
    Probe(
        "FORM_RENDERER",
        "django.forms.renderers.TemplatesSetting",
        "type(django.forms.renderers.get_default_renderer()).__name__",
    ),
    Probe("LANGUAGES", [["en", "E"]], "len(django.utils.translation.trans_real.get_languages())"),
    Probe(
        "LOGGING",
        {"version": 1, "loggers": {"shop": {"level": "ERROR"}}},
        "logging.getLogger('shop').level",
    ),
    Probe("LOGIN_URL", "/other/", "django.shortcuts.resolve_url(settings.LOGIN_URL)"),
    Probe("MEDIA_ROOT", "/other", "django.core.files.storage.default_storage.location"),
    Probe("MEDIA_URL", "/other/", "django.core.files.storage.default_storage.base_url"),
    Probe("MIDDLEWARE", [], "len(application._view_middleware)"),
    Probe(
        "PASSWORD_HASHERS",
        ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "len(django.contrib.auth.hashers.get_hashers())",
    ),
    Probe("SECRET_KEY", "new", "django.core.signing.Signer().signature('x')"),
    Probe("SESSION_COOKIE_NAME", "visitor", "ask('/session/')[2]"),
    Probe(
        "STATIC_URL",
        "/other/",
        "django.contrib.staticfiles.storage.staticfiles_storage.url('x')",
    ),
    Probe(
        "STORAGES",
        {"default": {**FILES, "OPTIONS": {"location": "/x"}}, "staticfiles": FILES},
        "sorted(django.core.files.storage.storages['default']._constructor_args[1])"
        " if hasattr(django.core.files.storage, 'storages') else 0",
    ),
    Probe(
        "TEMPLATES",
        [{"BACKEND": "django.template.backends.django.DjangoTemplates", "NAME": "n"}],
        "[each.name for each in django.template.engines.all()]",
    ),
    Probe("TIME_ZONE", "Europe/Rome", "str(django.utils.timezone.get_default_timezone())"),
    Probe("X_FRAME_OPTIONS", "SAMEORIGIN", "settings.X_FRAME_OPTIONS"),
]
IMPORTS = "import logging, django\nfrom importlib import import_module\n" + "".join(
    f"import_module('django.{name}')\n"
    for name in (
        *("contrib.auth.hashers", "contrib.staticfiles.storage", "core.cache", "core.mail"),
        *("core.signing", "core.files.storage", "db", "forms.renderers", "shortcuts", "template"),
        *("urls", "utils.formats", "utils.timezone", "utils.translation.trans_real"),
    )
)


def content(*probes: Probe) -> dict[str, str]:
    """What the mount holds: what is there at first, and the other values of some settings."""
    values = FIRST | {probe.setting: probe.value for probe in probes}
    return {
        f"DJANGO_{name}": value if isinstance(value, str) else f"@json {json.dumps(value)}"
        for name, value in values.items()
    }


@contextmanager
def running(volume: AtomicWriter, **options: Any) -> Iterator[Project]:
    """The project, which reloads only when told to."""
    with Project(volume.directory, k8s_watch=False, **options) as project:
        project.do(IMPORTS)
        yield project


def follows(project: Project, volume: AtomicWriter, probe: Probe) -> bool:
    """Change one setting; tell whether Django makes something else of it, and change it back."""
    before = project(probe.expression)
    for step in (content(probe), content()):
        project.do("told.clear()")
        volume.write(step)
        assert project("reloader.reload().outcome") == "applied"
        project.eventually("told", [True])
        if step != content():
            after = project(probe.expression)
    return bool(after != before)


def measured(volume: AtomicWriter, **options: Any) -> dict[str, bool]:
    """Tell of each setting whether it follows; of what does not, that a restart is asked for."""
    volume.write(content())
    with running(volume, **options) as project:
        project.do("told = []\n@reloader.on_change()\ndef tell(changes): told.append(True)")
        found = {probe.setting: follows(project, volume, probe) for probe in PROBES}
        restart = set(project("reloader.generations.restart_keys"))
    assert {name for name, it_follows in found.items() if not it_follows} == {
        probe.setting for probe in PROBES if probe.setting.partition("__")[0] in restart
    }
    return found


def test_each_probe_shows_what_a_fresh_process_makes_of_a_setting(volume: AtomicWriter) -> None:
    """With the other value, each expression gives something else."""
    probes = [probe for probe in PROBES if probe.setting != "MIDDLEWARE"]
    answers = []
    for step in (content(), content(*probes)):
        volume.write(step)
        with running(volume) as project:
            answers.append([project(probe.expression) for probe in probes])
    same = [
        probe.setting for probe, *pair in zip(probes, *answers, strict=True) if pair[0] == pair[1]
    ]
    assert same == []


def test_the_table_of_settings_is_true(volume: AtomicWriter) -> None:
    """The documentation says of each what is measured, with and without Django's signal."""
    plain = measured(volume)
    signalled = measured(volume, K8S_SEND_SETTING_CHANGED=True)
    mended = {"ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "LOGGING"}  # only with the app
    rows = [
        f"| `{probe.setting.partition('__')[0]}` | "
        + (
            "follows, by the app"
            if probe.setting in mended
            else "follows"
            if plain[probe.setting]
            else "follows with `K8S_SEND_SETTING_CHANGED`, else a restart"
            if signalled[probe.setting]
            else "takes a restart"
        )
        + " |"
        for probe in PROBES
    ]
    assert all(plain[name] and signalled[name] for name in mended)
    page = (DOCS / "django.md").read_text()
    assert re.findall(r"^\| `[A-Z_]+` \| .*(?:follows|restart).* \|$", page, re.MULTILINE) == rows
