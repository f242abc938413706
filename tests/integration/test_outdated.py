"""What code has computed from settings that have changed since is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import eventually, make_settings

SETS: dict[str, Callable[[Any], object]] = {
    "a text": lambda settings: settings.set("URL", f"http://{settings.HOST}/"),
    "an item": lambda settings: settings.__setitem__("URL", settings.HOST),
    "an update": lambda settings: settings.update({"url": f"http://{settings.HOST}:1"}, "code"),
    "a number": lambda settings: settings.set("URL", f"http://host:{settings.PORT}"),
    "nested": lambda settings: settings.set("URL", {"db": {"read": f"{settings.HOST}_1"}}),
}


@pytest.mark.parametrize("way", SETS)
@pytest.mark.parametrize("content", [{"MYAPP_HOST": "two.example", "MYAPP_PORT": "4321"}, {}])
def test_what_code_has_computed_is_named_once_it_is_outdated(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, way: str, content: dict[str, str]
) -> None:
    """A WARNING names the setting and the one that it was computed from, and no value."""
    volume.write({"MYAPP_HOST": "one.example", "MYAPP_PORT": "1234", "MYAPP_A": "1"})
    settings = make_settings(volume.directory, k8s_watch=False)
    SETS[way](settings)
    volume.write({"MYAPP_HOST": "one.example", "MYAPP_PORT": "1234", "MYAPP_A": "2"})
    get_reloader(settings).reload()
    assert "still contains" not in logged.text
    volume.write(content)
    assert get_reloader(settings).reload().outcome == "applied"
    source = "PORT" if way == "a number" else "HOST"
    assert logged.text.count(f"URL (of {source}) still contains a value") == 1
    assert "one.example" not in logged.text


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("website", "web", "net"),
        ("on", "on", "off"),
        ("two.example of one.example", "one.example", "two.example"),
        ("@format {this.HOST}", "one.example", "two.example"),
        ("True", "true", "false"),
    ],
)
def test_what_is_not_outdated_is_not_named(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture, text: str, old: str, new: str
) -> None:
    """Short texts, parts of words, templates and what holds the new value as well are not."""
    volume.write({"MYAPP_HOST": old})
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.set("TEXT", text)
    volume.write({"MYAPP_HOST": new})
    assert get_reloader(settings).reload().outcome == "applied"
    assert "still contain" not in logged.text


def test_what_a_mount_provides_is_not_outdated(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """A setting that code has set, too, but does not provide, is the mount's affair."""
    volume.write({"MYAPP_HOST": "one.example", "MYAPP_URL": "http://one.example/mount"})
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.set("URL", "http://one.example/code")
    volume.write({"MYAPP_HOST": "two.example", "MYAPP_URL": "http://one.example/mount"})
    get_reloader(settings).reload()
    assert "still contain" not in logged.text


def test_a_number_too_long_to_be_written_keeps_nothing_back(
    volume: AtomicWriter, logged: pytest.LogCaptureFixture
) -> None:
    """Python refuses to make a text of it; subscribers and the log are told all the same."""
    volume.write({"MYAPP_NUMBER": f"0x{'f' * 4000}", "MYAPP_HOST": "one.example"})
    settings = make_settings(volume.directory, k8s_watch=False)
    settings.set("URL", "http://one.example/")
    reloader = get_reloader(settings)
    told: list[str] = []
    reloader.on_change()(told.extend)
    volume.write({"MYAPP_NUMBER": f"0x{'e' * 4000}", "MYAPP_HOST": "two.example"})
    assert reloader.reload().outcome == "applied"
    eventually(lambda: {"HOST", "NUMBER"} <= set(told))
    assert "what follows a reload failed" not in logged.text
    assert "URL (of HOST)" in logged.text
