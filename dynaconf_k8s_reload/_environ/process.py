"""``os.environ`` as every thread sees it that is not building; read and written past its class."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import repeat
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
        held = _data().copy()
        return dict(zip(decoded(held), decoded(held.values()), strict=True))

    def __repr__(self) -> str:
        return f"ProcessEnviron({len(self)} variables)"


PROCESS = ProcessEnviron()


class Held:
    """An environment as it is held: the process's in bytes, which are compared at once.

    Args:
        environ: the environment; another one than the process's is held as it is.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ: Any = environ
        self._in_bytes = isinstance(environ, ProcessEnviron)

    def copy(self) -> dict[Any, Any]:
        """Copy it at one moment."""
        return _data().copy() if self._in_bytes else dict(self._environ)

    def form(self, texts: Mapping[str, str | None]) -> dict[Any, Any]:
        """Give names and texts as they are held; ``None`` stays what it is."""
        if not self._in_bytes:
            return dict(texts)
        encode, encoding = str.encode, sys.getfilesystemencoding()
        return {
            encode(name, encoding, ERRORS): None if text is None else encode(text, encoding, ERRORS)
            for name, text in texts.items()
        }

    def names(self, held: Iterable[Any]) -> Iterable[str]:
        """Give the names that are held so."""
        return decoded(held) if self._in_bytes else held

    def put(self, values: Iterable[tuple[Any, Any]]) -> None:
        """Write variables in their order, or remove each that has no text; as Python itself does.

        Args:
            values: names and texts as they are held.
        """
        if not self._in_bytes:
            for name, text in values:
                put(self._environ, name, text)
            return
        data = _data()
        for name, text in values:
            if text is None:
                os.unsetenv(name)
                data.pop(name, None)
            else:
                os.putenv(name, text)
                data[name] = text


def put(mapping: MutableMapping[str, str], name: str, value: str | None) -> None:
    """Set a name, or remove it where there is no value."""
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value


def decoded(texts: Iterable[bytes]) -> Iterator[str]:
    """Give names or texts of the process's environment as Python shows them."""
    return map(bytes.decode, texts, repeat(sys.getfilesystemencoding()), repeat(ERRORS))


def _data() -> dict[bytes, bytes]:
    """Give what CPython keeps beside the C library's array, see ``os._Environ``."""
    data: dict[bytes, bytes] = vars(os.environ)["_data"]
    return data


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


def texts_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Copy an environment; unlike ``dict(os.environ)``, safe while others remove variables."""
    if isinstance(environ, ProcessEnviron):
        return environ.copy()
    return {name: text for name in environ if (text := environ.get(name)) is not None}
