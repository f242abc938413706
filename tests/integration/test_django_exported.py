"""Projects that export their settings: the live object, the module and Django's copies follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_project import Project
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("django", reason="Django is not installed")

EXPORTED = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.exported'"
HOSTS = {"DJANGO_ALLOWED_HOSTS": '["testserver"]'}
SHOW = """
def show(holder):
    from django.db import connections
    connections.settings  # Django completes them in place, at the first use
    return {
        name: repr(value)
        for name in dir(holder)
        if name.isupper() and not name.startswith("_")
        for value in [getattr(holder, name)]
        if isinstance(value, (str, int, list, tuple, dict))
    }
"""
EVERYWHERE = "[show(each) for each in (settings.DYNACONF, module, settings, early)]"
UPDATES: list[dict[str, str]] = [
    {**HOSTS, "DJANGO_NUMBER": "1", "DJANGO_DEBUG": "true"},
    {**HOSTS, "DJANGO_DEBUG": "true", "DJANGO_NEW__deep__KEY": "[1, 2]"},
    {**HOSTS, "DJANGO_NEW__deep__OTHER": "x", "DJANGO_APPEND_SLASH": "false"},
    {"DJANGO_ALLOWED_HOSTS": '["testserver", "other"]', "DJANGO_EMAIL_HOST": "mail.example"},
    HOSTS,
]


@pytest.fixture
def project(volume: AtomicWriter) -> Iterator[Project]:
    """The exporting project, which reloads only when told to."""
    volume.write(HOSTS)
    with Project(volume.directory, first=EXPORTED + SHOW, k8s_watch=False) as running:
        assert running("type(settings.DYNACONF).__name__") == "LazySettings"
        yield running


def reload(project: Project) -> None:
    project.do("result = reloader.reload()")
    assert project("result.outcome") == "applied", project("str(result.error)")


def test_all_copies_are_those_of_a_fresh_process(volume: AtomicWriter, project: Project) -> None:
    """After keys came, changed and went: in the live object, the module, Django's own settings."""
    for update in UPDATES:
        volume.write(update)
        reload(project)
        with Project(volume.directory, first=EXPORTED + SHOW, k8s_watch=False) as fresh:
            assert project(EVERYWHERE) == fresh(EVERYWHERE)


def test_django_acts_on_what_follows(volume: AtomicWriter, project: Project) -> None:
    """Hosts, a flag and the log level take effect with the next request; the probe answers."""
    assert project.ask("/flags/", host="other")[0] == 400
    assert project.ask("/flags")[0] == 301
    project.do(
        "told = []\n"
        "settings_reloaded.connect(lambda changes, **_: told.append(list(changes)), weak=False)"
    )
    volume.write(
        {
            "DJANGO_ALLOWED_HOSTS": '["testserver", "other"]',
            "DJANGO_APPEND_SLASH": "false",
            "DJANGO_LOGGING": '@json {"version": 1, "loggers": {"shop": {"level": "ERROR"}}}',
        }
    )
    reload(project)
    project.eventually("len(told)", 1)
    assert project.ask("/flags/", host="other")[0] == 200
    assert project.ask("/flags")[0] == 404
    assert project("logging.getLogger('shop').level") == 40
    assert project.ask("/-/config")[0] == 200
    volume.write(HOSTS)
    reload(project)
    project.eventually("len(told)", 2)
    assert project.ask("/flags/", host="other")[0] == 400
    assert project("logging.getLogger('shop').level") == 0


def test_what_django_fills_in_stays(volume: AtomicWriter, project: Project) -> None:
    """Databases that Django has completed in place are the same object after a reload."""
    project.do(
        "from django.db import connections; connections['default'].cursor().execute('select 1')\n"
        "before = settings.DATABASES"
    )
    assert project("before['default']['CONN_MAX_AGE']") == 0
    volume.write({**HOSTS, "DJANGO_NUMBER": "2"})
    reload(project)
    assert project("settings.DATABASES is before is module.DATABASES is connections.settings")
    assert project("reloader.status().restart_required") == []


def test_overrides_and_assignments_lie_above(volume: AtomicWriter, project: Project) -> None:
    """A test's override outlasts a reload, and what code assigns is seen."""
    project.do("override = override_settings(NUMBER=7); override.enable()")
    volume.write({**HOSTS, "DJANGO_NUMBER": "2"})
    reload(project)
    assert project("[settings.NUMBER, module.NUMBER]") == [7, 2]
    project.do("override.disable()")
    assert project("settings.NUMBER") == 2
    project.do("settings.MINE = 'code'")
    assert project("[settings.MINE, module.MINE, 'MINE' in dir(settings)]") == [
        "code",
        "code",
        True,
    ]
