"""A project on the real django-ansible-base: all its settings after updates are a restart's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from applications import Application
from django_project import PROJECT
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("ansible_base", reason="django-ansible-base is not installed")

ANSIBLE = PROJECT.parent / "ansible"
EVERYWHERE = "[show(each) for each in (settings.DYNACONF, module, settings)]"
UPDATES: list[dict[str, str]] = [
    {"SHOP_POOL_SIZE": "8"},
    {"SHOP_POOL_SIZE": "8", "SHOP_LIMITS__low": "2", "SHOP_NEW": "[1, 2]"},
    {"SHOP_LIMITS__low": "3", "SHOP_LIMITS__other": "x"},
    {"SHOP_DATABASES__default__NAME": "other", "SHOP_DATABASES__default__OPTIONS__timeout": "5"},
    {"SHOP_ALLOWED_HOSTS": '["shop.example"]', "SHOP_DEBUG": "true"},
    {"SHOP_FEATURE_CART_ENABLED": "true", "SHOP_POOL_SIZE": "1"},
    {
        "SHOP_LIMITS": "@merge {high = 20}",
        "SHOP_INSTALLED_APPS": '@merge_unique ["django.contrib.sitemaps"]',
    },
    {"SHOP_GREETING": "@format {this.POOL_SIZE} pools", "SHOP_POOL_SIZE": "9"},
    {"SHOP_LIMITS__low": "@del", "SHOP_REST_FRAMEWORK__PAGE_SIZE": "7"},
    {},
]


class Project(Application):
    """The project, with the loader and the mount given from outside."""

    def __init__(self, mount: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, ANSIBLE / "evaluate.py"],
            env={
                **os.environ,
                "LOADERS_FOR_DYNACONF": '["dynaconf_k8s_reload.loader"]',
                "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(mount)]),
                "K8S_WATCH_FOR_DYNACONF": "false",
                "PYTHONWARNINGS": "ignore",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self("settings.POOL_SIZE")

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()  # its log, on standard error, is no concern here


def test_its_settings_are_those_of_a_fresh_process(volume: AtomicWriter) -> None:
    """In the live object, in the module and in Django's own settings, after each of ten updates."""
    volume.write({})
    with Project(volume.directory) as project:
        for update in UPDATES:
            volume.write(update)
            assert project("reloader.reload().outcome") == "applied"
            with Project(volume.directory) as fresh:
                assert project(EVERYWHERE) == fresh(EVERYWHERE), update


def test_what_its_validators_refuse_changes_nothing(volume: AtomicWriter) -> None:
    """They are registered late, and asked with each update."""
    volume.write({"SHOP_POOL_SIZE": "8"})
    with Project(volume.directory) as project:
        before = project(EVERYWHERE)
        volume.write({"SHOP_POOL_SIZE": "1000", "SHOP_DEBUG": "true"})
        assert project("reloader.reload().outcome") == "rejected"
        assert project(EVERYWHERE) == before


def test_copies_that_django_has_completed_stay(volume: AtomicWriter) -> None:
    """The export makes plain dictionaries; one whose setting did not change is the same object."""
    volume.write({"SHOP_POOL_SIZE": "8"})
    complete = "[__import__('django.db').db.connections.settings, settings.DATABASES][1]"
    with Project(volume.directory) as project:
        assert project(f"{complete}['default']['CONN_MAX_AGE']") == 0
        volume.write({"SHOP_POOL_SIZE": "9"})
        assert project("reloader.reload().outcome") == "applied"
        assert project("settings.DATABASES is module.DATABASES")
        assert project("settings.DATABASES['default'].get('CONN_MAX_AGE')") == 0
        assert project("reloader.status().restart_required") == []
