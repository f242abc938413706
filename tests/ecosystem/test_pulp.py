"""Pulp follows a ConfigMap by two variables: its settings after updates are a restart's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from applications import Application
from django_project import PROJECT, assert_alike
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("pulpcore", reason="pulpcore is not installed")

EVERYWHERE = "[show(settings), show(module), variables()]"
APP = '@merge ["dynaconf_k8s_reload.django"]'
FIRST = {
    "PULP_LANGUAGE_CODE": "fr",
    "PULP_LOGIN_URL": "/own-login/",
    "PULP_MEDIA_URL": "media/",
    "PULP_REDIS_URL": "redis://one",
}
UPDATES: list[dict[str, str]] = [
    {**FIRST, "PULP_MAX_CONCURRENT_CONTENT": "300"},
    {
        "PULP_DATABASES__default__HOST": "one.example",
        "PULP_DATABASES__default__PORT": "5433",
        "PULP_DATABASES__default__OPTIONS__sslmode": "require",
    },
    {"PULP_DATABASES__default__HOST": "two.example", "PULP_DATABASES__default__USER": "@del"},
    {"PULP_CACHE_ENABLED": "true", "PULP_REDIS_URL": "redis://two"},  # its validators ask for both
    {"PULP_CACHE_ENABLED": "true", "PULP_REDIS_HOST": "redis", "PULP_REDIS_PORT": "6379"},
    {"PULP_MIDDLEWARE": '@merge ["shop.Middleware"]', "PULP_OTEL_ENABLED": "true"},  # and a hook
    {"PULP_OTEL_ENABLED": "true", "PULP_API_ROOT": "/shop/", "PULP_REST_FRAMEWORK__PAGE_SIZE": "7"},
    {"PULP_ENABLE_V4_API": "true", "PULP_PASSWORD_HASHERS": '@merge ["shop.Hasher"]'},
    {"PULP_SAML_CONFIG": '@json {"entityid": "shop"}'},  # a hook that asks what is not set
    {"PULP_SAML_CONFIG": "{}", "PULP_LOGIN_URL": "/own/"},
    {"PULP_ALLOWED_CONTENT_CHECKSUMS": '["sha256"]', "PULP_CACHE_SETTINGS": "@merge {EXTRA = 1}"},
    {"PULP_CACHE_SETTINGS__EXPIRES_TTL": "@del", "PULP_REDIS_PASSWORD": "@none"},
    {"PULP_LOGGING__loggers__pulpcore__level": "DEBUG", "PULP_REDIS_DB": "@int 3"},
    {"PULP_CONTENT_ORIGIN": "@format https://{this.REDIS_DB}.example", "DEBUG": "true"},
    {},
]
REFUSED: list[dict[str, str]] = [
    {"PULP_API_ROOT": "shop"},
    {"PULP_WORKER_TYPE": "other"},
    {"PULP_ALLOWED_CONTENT_CHECKSUMS": '["md5"]'},
    {"PULP_DB_ENCRYPTION_KEY": "/no/such/key"},
]


class Pulp(Application):
    """A process with Pulp's settings."""

    def __init__(self, mount: Path, **variables: str) -> None:
        key = mount.parent / "key"
        key.write_bytes(base64.urlsafe_b64encode(bytes(32)))
        self.process = subprocess.Popen(
            [sys.executable, PROJECT.parent / "pulp" / "evaluate.py"],
            env={
                **os.environ,
                "LOADERS_FOR_DYNACONF": '["dynaconf_k8s_reload.loader"]',
                "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(mount)]),
                "K8S_WATCH_FOR_DYNACONF": "false",  # a test reloads when it has written
                "PULP_DB_ENCRYPTION_KEY": str(key),
                "PULP_SECRET_KEY": "of the test",
                "PYTHONWARNINGS": "ignore",
                **variables,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self("True")

    def __enter__(self) -> Pulp:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()  # its log, on standard error, is no concern here


@pytest.fixture
def pulp(volume: AtomicWriter) -> Iterator[Pulp]:
    """Pulp, with settings of which each has a default beneath it."""
    volume.write(FIRST)
    with Pulp(volume.directory) as running:
        yield running


def test_its_settings_are_those_of_a_fresh_process(volume: AtomicWriter, pulp: Pulp) -> None:
    """In `django.conf.settings`, in the module and in the environment, after 15 updates."""
    assert len(UPDATES) == 15
    for update in UPDATES:
        volume.write(update)
        assert pulp("reloader.reload().outcome") == "applied", update
        with Pulp(volume.directory) as fresh:
            assert_alike(pulp(EVERYWHERE), fresh(EVERYWHERE))


def test_what_its_validators_and_hooks_refuse_changes_nothing(
    volume: AtomicWriter, pulp: Pulp
) -> None:
    """A process that starts with it does not come up."""
    before = pulp(EVERYWHERE)
    for update in REFUSED:
        volume.write({**update, "PULP_MAX_CONCURRENT_CONTENT": "300"})
        assert pulp("reloader.reload().outcome") == "rejected", update
        assert pulp(EVERYWHERE) == before
        with pytest.raises(AssertionError, match="it ended with 1"):
            Pulp(volume.directory)


def test_with_its_apps(volume: AtomicWriter) -> None:
    """All of Pulp's apps, and this package's by a variable of Pulp's own."""
    with_apps = {"WITH_APPS": "true", "PULP_INSTALLED_APPS": APP}
    volume.write(FIRST)
    with Pulp(volume.directory, **with_apps) as running:
        assert running("django.apps.apps.is_installed('dynaconf_k8s_reload.django')")
        for update in UPDATES[0], UPDATES[6], {}:
            volume.write(update)
            assert running("reloader.reload().outcome") == "applied", update
            with Pulp(volume.directory, **with_apps) as fresh:
                assert_alike(running(EVERYWHERE), fresh(EVERYWHERE))
