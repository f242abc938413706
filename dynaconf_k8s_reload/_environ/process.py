"""``os.environ`` as every thread sees it that is not building; read and written past its class."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

Environ: Any = type(os.environ)
ERRORS = "surrogateescape"  # as os.fsdecode does


class ProcessEnviron(MutableMapping[str, str]):
    """``os.environ`` as every other thread sees it, in a building thread too."""

    def __getitem__(self, name: str) -> str:
        text: str = Environ.__getitem__(os.environ, name)
        return text

    def get(self, name: str, default: Any = None) -> Any:
        """Give a variable, with a call less than the inherited way: each reload reads many."""
        try:
            return Environ.__getitem__(os.environ, name)
        except KeyError:
            return default

    def __setitem__(self, name: str, text: str) -> None:
        Environ.__setitem__(os.environ, name, text)

    def __delitem__(self, name: str) -> None:
        Environ.__delitem__(os.environ, name)

    def __iter__(self) -> Iterator[str]:
        names: Iterator[str] = Environ.__iter__(os.environ)
        return names

    def __len__(self) -> int:
        return int(Environ.__len__(os.environ))

    def copy(self) -> dict[str, str]:
        """Copy it at one moment, at a third of what reading each variable by its name takes."""
        held: dict[bytes, bytes] = vars(os.environ)["_data"].copy()
        decode, encoding = bytes.decode, sys.getfilesystemencoding()
        return {
            decode(name, encoding, ERRORS): decode(text, encoding, ERRORS)
            for name, text in held.items()
        }

    def __repr__(self) -> str:
        return f"ProcessEnviron({len(self)} variables)"


PROCESS = ProcessEnviron()


def texts_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Copy an environment; unlike ``dict(os.environ)``, safe while others remove variables."""
    if isinstance(environ, ProcessEnviron):
        return environ.copy()
    return {name: text for name in environ if (text := environ.get(name)) is not None}
