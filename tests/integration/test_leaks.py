"""Nothing shows a content: no object of ours, no frame of an error, no viewer of either."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dynaconf_k8s_reload import Mount, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

MARKER = "zQ7marker"


def ours() -> Iterator[Any]:
    """Every object of this package that the garbage collector knows, classes left out."""
    for each in gc.get_objects():
        kind = type(each)
        if kind.__module__.startswith("dynaconf_k8s_reload") and not issubclass(kind, type):
            yield each


def shown(value: Any, depth: int = 4) -> Iterator[str]:
    """What a viewer shows of an object: it takes tuples apart, and asks others for their repr."""
    if depth and isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from shown(item, depth - 1)
    yield repr(value)


def test_no_object_shows_a_content(tmp_path: Path) -> None:
    """Whatever becomes of a content, each object that holds it shows names and counts only."""
    secret, config = AtomicWriter(tmp_path / "secret"), AtomicWriter(tmp_path / "config")
    secret.write({"PASSWORD": MARKER, "TOKEN": f"@format {MARKER}", "SECRET__deep": MARKER})
    texts = {
        "MYAPP_TEXT": MARKER,
        "MYAPP_KEYS": f'@json {{"{MARKER}": {{"{MARKER}": "{MARKER}"}}}}',
        "MYAPP_LAZY": f"@format {MARKER} {{this.TEXT}}",
        "MYAPP_MERGED": f"@merge {MARKER},{MARKER}",
        "MYAPP_DB__PASSWORD": MARKER,
        "LOG-LEVEL": MARKER,
        "HOSTNAME": MARKER,
        "app.toml": f'FROM_FILE = "{MARKER}"\n',
    }
    config.write(texts)
    settings = make_settings(
        Mount(str(secret.directory), secret=True),
        config.directory,
        k8s_watch=False,
        k8s_env_wins=["WINS"],
        settings_files=[str(config.directory / "app.toml")],
    )
    reloader = get_reloader(settings)
    told: list[Any] = []
    reloader.on_change()(told.append)
    child = settings.from_env("other")
    assert (settings.PASSWORD, child.TEXT) == (MARKER, MARKER)
    before = reloader.snapshot()
    config.write({**texts, "MYAPP_TEXT": f"{MARKER}2", "MYAPP_DB__PASSWORD": f"{MARKER}2"})
    kept = [reloader.reload()]
    config.write({**texts, "MYAPP_TEXT": f"@int {MARKER}"})
    kept.append(reloader.reload())
    assert before.TEXT == MARKER
    leaks = {type(each).__qualname__ for each in ours() if any(MARKER in s for s in shown(each))}
    assert leaks == set()
