"""Seeing each `Settings` that dynaconf constructs, for the tools that examine an application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dynaconf.base import Settings

Prepare = Callable[[Any, dict[str, Any]], tuple[Any, dict[str, Any]]]


@contextmanager
def noting_constructions(
    prepare: Prepare = lambda module, keywords: (module, keywords),
    complete: Callable[[Settings], object] = id,
) -> Iterator[list[Settings]]:
    """Collect what is constructed within the block, even what then cannot be loaded.

    Args:
        prepare: is given the settings module and the keywords of each, and gives those to use.
        complete: is called with each that is complete, validators included.
    """
    made: list[Settings] = []
    original: Any = Settings.__init__

    def __init__(self: Settings, settings_module: Any = None, **keywords: Any) -> None:  # noqa: N807 -- because it takes the place of the original
        made.append(self)
        settings_module, keywords = prepare(settings_module, keywords)
        original(self, settings_module, **keywords)
        complete(self)

    Settings.__init__ = __init__
    try:
        yield made
    finally:
        Settings.__init__ = original
