"""Django's ``LOGGING`` takes effect, and leaves what code did to other loggers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from django_project import Project
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("django", reason="Django is not installed")

SHOW = """
import logging

def show(*names):
    def kind(each):
        return [type(each).__name__, each.name, getattr(each, "level", None)]
    return {
        name: [
            logger.level,
            [kind(each) for each in logger.handlers if each.name],
            [kind(each) for each in logger.filters],
            logger.propagate,
            logger.disabled,
        ]
        for name in names
        for logger in [logging.getLogger(name)]
    }
"""
NAMES = ["", "shop", "shop.cart", "mail", "django.server", "django.request"]


def content(logging: dict[str, Any], **more: str) -> dict[str, str]:
    """What the mount holds."""
    return {
        "DJANGO_ALLOWED_HOSTS": '["testserver"]',
        "DJANGO_LOGGING": "@json " + json.dumps(logging),
        **more,
    }


def config(path: Path, level: str = "INFO", **more: Any) -> dict[str, Any]:
    """A configuration with one file."""
    return {
        "version": 1,
        "filters": {"shop": {"()": "logging.Filter", "name": "shop"}},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(path)}},
        "loggers": {"shop": {"level": level, "handlers": ["file"], "filters": ["shop"]}},
        **more,
    }


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The file of the first configuration."""
    return tmp_path / "first.log"


@pytest.fixture
def project(volume: AtomicWriter, first: Path) -> Iterator[Project]:
    """The project, which reloads only when told to."""
    volume.write(content(config(first)))
    with Project(volume.directory, first=SHOW, k8s_watch=False) as running:
        running.do("shop = logging.getLogger('shop')")
        yield running


def reload(project: Project, outcome: str = "applied") -> None:
    """Reload, and wait until the subscribers have been told."""
    project.do(
        "told = []\n"
        "@reloader.on_change()\n"
        "def tell(changes):\n"
        "    told.append(True)\n"
        "    reloader.unsubscribe(tell)\n"
        "result = reloader.reload()"
    )
    assert project("result.outcome") == outcome
    if outcome == "applied":
        project.eventually("told", [True])


def test_a_level_takes_effect(volume: AtomicWriter, project: Project, first: Path) -> None:
    """It needs no restart, and the lines go on into the same file."""
    project.do("shop.debug('unseen'); shop.info('one')")
    volume.write(content(config(first, "DEBUG")))
    reload(project)
    project.do("shop.debug('two')")
    assert first.read_text() == "one\ntwo\n"
    assert project("reloader.status().restart_required") == []


def test_a_nested_key_takes_effect(volume: AtomicWriter, project: Project, first: Path) -> None:
    """One level from a key of its own, as a project's `LOGGING` usually gets it."""
    volume.write(content(config(first), DJANGO_LOGGING__loggers__shop__level="ERROR"))
    reload(project)
    assert project("shop.level") == 40


def test_the_handlers_of_before_are_closed(
    volume: AtomicWriter, project: Project, first: Path, tmp_path: Path
) -> None:
    """Lines go into the new file only, and the old one is not kept open."""
    # What the listing itself is open on is gone once each is looked at.
    opened = "[os.path.realpath(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')]"
    path = str(first.resolve())
    assert project(f"{path!r} in {opened}")
    second = tmp_path / "second.log"
    volume.write(content(config(second)))
    reload(project)
    project.do("shop.info('two')")
    assert (first.read_text(), second.read_text()) == ("", "two\n")
    assert not project(f"{path!r} in {opened}")


def test_the_loggers_are_those_of_a_fresh_process(
    volume: AtomicWriter, project: Project, first: Path, tmp_path: Path
) -> None:
    """After loggers, filters and handlers came and went, nothing is left of earlier ones."""
    console = {"console": {"class": "logging.StreamHandler", "level": "WARNING"}}
    steps = [
        config(first, root={"level": "DEBUG", "handlers": ["file"]}),
        config(first, handlers=console, loggers={"shop": {"handlers": ["console"]}}),
        {"version": 1},
        config(
            tmp_path / "third.log",
            "ERROR",
            loggers={"mail": {"propagate": False}, "django.request": {"level": "ERROR"}},
        ),
        config(first, disable_existing_loggers=False),
    ]
    for step in steps:
        volume.write(content(step))
        reload(project)
        with Project(volume.directory, first=SHOW, k8s_watch=False) as fresh:
            assert project(f"show(*{NAMES})") == fresh(f"show(*{NAMES})")


def test_what_code_did_stays(volume: AtomicWriter, project: Project, first: Path) -> None:
    """Handlers, levels and filters of code; a logger that is made later is not disabled."""
    project.do(
        "class Kept(logging.NullHandler): pass\n"
        "later = logging.getLogger('later'); cart = logging.getLogger('shop.cart')\n"
        "root, kept = logging.getLogger(), Kept()\n"
        "for each in (root, shop, cart, later): each.addHandler(kept)\n"
        "later.setLevel('ERROR'); cart.setLevel('ERROR'); cart.propagate = False\n"
        "mine = lambda record: True\n"
        "for each in (shop, cart): each.addFilter(mine)\n"
    )
    for level in ("DEBUG", "WARNING"):
        volume.write(content(config(first, level, root={"level": level})))
        reload(project)
        assert (
            project("[kept in each.handlers for each in (root, shop, cart, later)]") == [True] * 4
        )
        assert project("[mine in each.filters for each in (shop, cart)]") == [True] * 2
        assert project("[later.level, cart.level, cart.propagate]") == [40, 40, False]
        assert project("[each.disabled for each in (shop, cart, later)]") == [False] * 3
        assert project("len(shop.filters)") == 2
    project.do("reloader.reload()")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"version": 2}, "LOGGING.version must be 1"),
    ({"root": {"level": "VERYSECRET"}}, "LOGGING.root.level is not a level"),
    ({"handlers": {"file": {"class": "no.VERYSECRET"}}}, "LOGGING.handlers.file.class cannot"),
    ({"formatters": {"f": {"()": "os.VERYSECRET"}}}, "LOGGING.formatters.f.() cannot"),
    ({"root": {"handlers": ["VERYSECRET"]}}, "LOGGING.root.handlers names what"),
    (
        {"handlers": {"file": {"class": "logging.NullHandler", "formatter": "VERYSECRET"}}},
        "LOGGING.handlers.file.formatter names what LOGGING.formatters",
    ),
]


def test_a_mistake_is_refused(volume: AtomicWriter, project: Project, first: Path) -> None:
    """Django would not start with it; the error names the place, and no value."""
    for mistake, named in MISTAKES:
        volume.write(content(config(first, **mistake)))
        reload(project, "rejected")
        assert named in project("str(result.error)")
        assert "VERYSECRET" not in project("str(result.error)")
    assert project("shop.level") == 20


def test_what_only_shows_when_it_is_applied_leaves_the_loggers_as_they_were(
    volume: AtomicWriter, project: Project, first: Path, tmp_path: Path
) -> None:
    """A file that cannot be opened: an ERROR says so, and the old file goes on being written."""
    volume.write(content(config(tmp_path / "absent" / "file", "DEBUG")))
    reload(project)
    assert [line for line in project("logged") if "LOGGING could not be applied" in line]
    project.do("shop.debug('unseen'); shop.info('one')")
    assert first.read_text() == "one\n"
    assert project("len(shop.filters)") == 1
    volume.write(content(config(first, "DEBUG")))
    reload(project)
    project.do("shop.debug('two')")
    assert first.read_text() == "one\ntwo\n"
