"""Django's middleware that keeps each request within one generation, and the three probes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from django_project import Project
from dynaconf_k8s_reload.testing import AtomicWriter

pytest.importorskip("django", reason="Django is not installed")

PIN = ["dynaconf_k8s_reload.django.middleware.PinMiddleware"]
CLIENTS = """
import asyncio
from django.test import AsyncClient, Client

def get(path):
    response = Client().get(path)
    return response.getvalue().decode()

async def answer_of(path):
    response = await AsyncClient().get(path)
    if response.streaming:
        return b"".join([part async for part in response.streaming_content]).decode()
    return response.content.decode()

def get_later(path):
    return asyncio.run(answer_of(path))
"""


@pytest.fixture
def content(volume: AtomicWriter) -> dict[str, str]:
    """What the mount holds at first."""
    content = {"DJANGO_ALLOWED_HOSTS": '["testserver"]', "DJANGO_NUMBER": "1"}
    volume.write(content)
    return content


@pytest.fixture
def project(volume: AtomicWriter, content: dict[str, str]) -> Iterator[Project]:
    """The project with the middleware, which reloads only when told to."""
    with Project(volume.directory, k8s_watch=False, MIDDLEWARE=PIN) as running:
        assert running("settings.MIDDLEWARE") == PIN
        running.do(CLIENTS)
        yield running


def seen(project: Project, client: str, view: str) -> list[int]:
    answer: list[int] = json.loads(project(f"{client}('/pinned/{view}')"))["seen"]
    return answer


@pytest.mark.parametrize(
    ("client", "view"),
    [
        ("get", "plain"),
        ("get", "awaited"),
        ("get", "streamed"),
        ("get_later", "plain"),
        ("get_later", "awaited"),
        ("get_later", "streamed-later"),
    ],
)
def test_a_request_sees_one_generation(project: Project, client: str, view: str) -> None:
    """Views of both kinds, under WSGI and ASGI; a streamed answer to its last part."""
    first = seen(project, client, view)
    assert set(first) == {1}
    later = seen(project, client, view)
    assert set(later) == {project("settings.NUMBER") - (2 if "streamed" in view else 1)}
    assert project("reloader.snapshot().NUMBER") == project("settings.NUMBER") > 2


def test_an_answer_that_is_given_up_is_closed_in_its_generation(project: Project) -> None:
    """What a generator does at its end belongs to its request, though nobody reads on."""
    project.do(
        "from project import pinned\n"
        "response = Client().get('/pinned/given-up')\n"
        "number = int(next(iter(response.streaming_content)))\n"
        "pinned.swap()\n"
        "response.close()\n"
    )
    assert project("[number, pinned.closed, settings.NUMBER]") == [1, [1], 2]


def test_without_the_middleware_a_request_sees_two(
    volume: AtomicWriter, content: dict[str, str]
) -> None:
    """What the views show is what the middleware is for."""
    with Project(volume.directory, k8s_watch=False) as project:
        project.do(CLIENTS)
        assert seen(project, "get", "plain") == [1, 2]
        assert seen(project, "get", "streamed") == [2, 4]


def test_a_file_is_left_to_the_server(project: Project) -> None:
    """It gets the file itself, which it may send without reading it."""
    project.do(
        "sent = []\n"
        "class Wrapper:\n"
        "    def __init__(self, file, size=0): self.file = file; sent.append(file.name)\n"
        "    def __iter__(self): return iter(self.file)\n"
        "    def close(self): self.file.close()\n"
    )
    status, body, _ = project("ask('/pinned/file', **{'wsgi.file_wrapper': Wrapper})")
    assert status == 200
    assert "def file" in body
    assert [name.endswith("pinned.py") for name in project("sent")] == [True]


def test_a_project_without_the_loader_is_told(volume: AtomicWriter) -> None:
    """The middleware refuses to do nothing; the error names the remedy."""
    volume.write({})
    with Project(volume.directory, loaders=["dynaconf.loaders.env_loader"]) as project:
        project.do(
            "from dynaconf_k8s_reload.django.middleware import PinMiddleware\n"
            "try: PinMiddleware(lambda request: None)\n"
            "except Exception as raised: error = repr(raised)"
        )
        assert project("error").startswith("ConfigError('these settings are not loaded by")


@pytest.mark.parametrize("path", ["/-/config/", "/-/config"])
def test_live_and_ready_stand_below_the_status(
    volume: AtomicWriter, content: dict[str, str], path: str
) -> None:
    """A required restart has a process restarted, and serves until then."""
    options: dict[str, Any] = {
        "k8s_restart_503": True,
        "k8s_restart_keys": ["NUMBER"],
        "k8s_watch": False,
    }
    base = path.rstrip("/")
    with Project(volume.directory, **options) as project:
        for each in (path, f"{base}/live", f"{base}/ready"):
            status, body, _ = project.ask(each)
            assert (status, json.loads(body)["generation"]) == (200, 1)
            assert project.ask(each, method="HEAD")[0] == 200
        assert project.ask(f"{base}/other")[0] == 404
        volume.set("DJANGO_NUMBER", "2")
        project.do("reloader.reload()")
        codes = [project.ask(each)[0] for each in (path, f"{base}/live", f"{base}/ready")]
        assert codes == [503, 503, 200]


def test_the_checks_find_nothing_wrong_with_the_urls(project: Project) -> None:
    """Django warns of patterns that begin with a slash; these do not."""
    project.do("from django.core.checks.urls import check_url_config")
    assert project("[str(each) for each in check_url_config(None) if each.id != 'urls.W005']") == []
