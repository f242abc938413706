"""Taking the names of settings apart, by the separators that an application has."""

from __future__ import annotations

import re
from functools import lru_cache

from dynaconf.base import Settings

__all__ = ["Paths"]


class Paths:
    """Takes the names of settings apart as ``Settings.set`` does, in one case for comparing."""

    def __init__(self, separator: str, index: str, *, nested: bool) -> None:
        self._separator = separator
        self._index = re.compile(rf"{index}(\d+)") if index else None
        self._nested = nested

    @classmethod
    def of_settings(cls, settings: Settings) -> Paths:
        """Take names apart as these settings do."""
        separator = settings.get("NESTED_SEPARATOR_FOR_DYNACONF") or ""
        index = settings.get("INDEX_SEPARATOR_FOR_DYNACONF") or ""
        nested = settings.get("DOTTED_LOOKUP_FOR_DYNACONF") is True
        return _paths(separator, index, nested=nested)

    def of(self, key: str) -> tuple[str, ...]:
        """Give the parts of a name."""
        dotted = key if self._index is None else self._index.sub(r"[\1]", key)
        if self._separator:
            dotted = dotted.replace(self._separator, ".")
        if not self._nested or ("." not in dotted and "[" not in dotted):
            return (dotted.upper(),)
        return tuple(re.split(r"[.\[]", dotted.upper()))

    def top(self, key: str) -> str:
        """Give the name of the top-level setting that a name belongs to."""
        return self.of(key)[0]


_paths = lru_cache(Paths)
