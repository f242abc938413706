"""The one rule from the name of a variable to a setting, and the names that no mount may provide.

A ConfigMap must not make dynaconf include a file, run Python or watch another directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from dynaconf.utils import RENAMED_VARS

from .options import Options

RESERVED = frozenset(
    {
        *RENAMED_VARS,  # older names of dynaconf's own options, SETTINGS_MODULE among them
        "DYNACONF_INCLUDE",  # files to include
        "YAML",  # a file that Settings.load_extra_yaml loads
        "DEFAULT_SETTINGS_PATHS",  # files to load where none is configured
        "LOAD_DOTENV",
        "DYNABOXIFY",
        "FILTER_STRATEGY",
        "_REGISTERED_HOOKS",  # dynaconf.hooking
        *map(str.upper, Options._fields),
    }
)
REMEMBERED = 16 * 1024  # names, and hardly a ConfigMap has more of them

_NESTING = re.compile(r"\.|\[|(?<=[^_])__")


class Names:
    """How one application makes settings of the names of variables (``env_loader``).

    Attributes:
        prefixes: what a name may start with and loses then, such as ``"MYAPP_"``, in the order in
            which they apply; the last one wins. Empty for an application without any environment.
        own: those of the prefixes that the application has chosen.

    Args:
        prefix: the application's ``envvar_prefix``: a string, perhaps a list with commas;
            ``False`` for none; ``None`` where the environment is not loaded at all.
        separator: what stands between the parts of a nested name.
        index: what stands before an index.
        nested: names are taken apart at all (``DOTTED_LOOKUP_FOR_DYNACONF``).
    """

    def __init__(
        self,
        prefix: object = "DYNACONF",
        separator: str = "__",
        index: str = "___",
        *,
        nested: bool = True,
    ) -> None:
        self.prefixes: tuple[str, ...] = _starts(prefix)
        own = prefix.upper().split(",") if prefix and isinstance(prefix, str) else ()
        self.own: tuple[str, ...] = tuple(f"{each}_" for each in own)
        self._tried = ("", *dict.fromkeys(("DYNACONF_", *filter(None, self.prefixes))))
        self._separator = separator
        self._index = re.compile(rf"{index}(\d+)") if index else None
        self._nested = nested
        self.path: Callable[[str], tuple[str, ...]] = lru_cache(REMEMBERED)(self._path)
        self.is_reserved: Callable[[str], bool] = lru_cache(REMEMBERED)(self._is_reserved)

    def keys(self, name: str, *, prefixed_only: bool = False) -> list[str]:
        """Give the keys, as ``Settings.set`` takes them, that a variable of this name sets.

        A name that carries a prefix loses it, each one that it carries; another is taken as it is.

        Args:
            name: the variable's.
            prefixed_only: a name without a prefix sets nothing.
        """
        keys = [name[len(start) :] for start in self.prefixes if name.startswith(start)]
        return keys or ([] if prefixed_only else [name])

    def parts(self, key: str) -> tuple[str, ...]:
        """Take a key apart as ``Settings.set`` does; an index stays in its brackets."""
        dotted = key if self._index is None else self._index.sub(r"[\1]", key)
        if self._separator:
            dotted = dotted.replace(self._separator, ".")
        return tuple(dotted.replace("[", ".[").split(".")) if self._nested else (dotted,)

    def _path(self, key: str) -> tuple[str, ...]:
        """Give the parts of a key in upper case."""
        return tuple(part.removeprefix("[").upper() for part in self.parts(key))

    def top(self, key: str) -> str:
        """Give the name of the top-level setting that a key belongs to."""
        return self.path(key)[0]

    def _is_reserved(self, name: str) -> bool:
        """Tell whether a mount may not provide a variable of this name, with a prefix or without.

        It may not by dynaconf's usual separators, nor by those that the application has.
        """
        keys = [name[len(start) :] for start in self._tried if name.startswith(start)]
        return any(_names_reserved(key) or _names_reserved(self.top(key)) for key in keys)


def _starts(prefix: object) -> tuple[str, ...]:
    """List the prefixes in the order in which ``env_loader`` applies them."""
    if prefix is None:
        return ()
    if not isinstance(prefix, str) or not prefix:
        return ("DYNACONF_", "" if prefix is False else f"{prefix}_")
    own = [f"{each}_" for each in prefix.upper().split(",")]
    return tuple(own) if prefix.upper() == "DYNACONF" else ("DYNACONF_", *own)


def _names_reserved(key: str) -> bool:
    # dynaconf drops spaces around a name, and takes one within for an underscore.
    upper = key.strip().replace(" ", "_").upper()
    top = _NESTING.split(upper, maxsplit=1)[0]
    return any(part in RESERVED or part.endswith("_FOR_DYNACONF") for part in (upper, top))


def without_newline(text: str) -> str:
    r"""Drop the one newline that ``kubectl create --from-file`` of an edited file leaves behind.

    An editor on Windows leaves ``\r\n``. This is for what stays text: dynaconf's parser
    gets the newline, as it does in a variable (``@format a`` with one gives text with one).
    """
    if not text.endswith("\n") or text.count("\n") > 1:
        return text
    return text[:-2] if text.endswith("\r\n") else text[:-1]
