"""``os.environ`` as every thread sees it that is not building; read and written past its class."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from .._model.errors import ConfigError

Environ: Any = os._Environ  # noqa: SLF001 -- because `os.environ` may have been replaced by then
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

    def named(self, names: Iterable[str]) -> dict[str, str]:
        """Copy some of it: a pod with many services has thousands of others."""
        held: dict[bytes, bytes] = vars(os.environ)["_data"]
        encode, decode, encoding = str.encode, bytes.decode, sys.getfilesystemencoding()
        return {
            name: decode(text, encoding, ERRORS)
            for name in names
            if (text := held.get(encode(name, encoding, ERRORS))) is not None
        }

    def __repr__(self) -> str:
        return f"ProcessEnviron({len(self)} variables)"


PROCESS = ProcessEnviron()


def require_pythons_own() -> None:
    """Raise if something else stands in place of Python's own ``os.environ``, as in some tests.

    Raises:
        ConfigError: no process that is started would see what the mirror writes there.
    """
    if not isinstance(os.environ, Environ):
        raise ConfigError(
            f"os.environ has been replaced by a {type(os.environ).__name__}; change it in place, "
            "as mock.patch.dict(os.environ, ...) does"
        )


def texts_of(environ: Mapping[str, str], names: Iterable[str] | None = None) -> dict[str, str]:
    """Copy an environment; unlike ``dict(os.environ)``, safe while others remove variables.

    Args:
        environ: the environment.
        names: what to copy of it; ``None`` for all.
    """
    if isinstance(environ, ProcessEnviron):
        return environ.copy() if names is None else environ.named(names)
    names = environ if names is None else names
    return {name: text for name in names if (text := environ.get(name)) is not None}
