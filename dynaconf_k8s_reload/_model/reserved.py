"""Names that a mount must not provide, because they would reconfigure dynaconf or this package.

A ConfigMap must not make dynaconf include a file, run Python or watch another directory.
"""

from __future__ import annotations

import re
from functools import lru_cache

from dynaconf.utils import RENAMED_VARS

from .options import Options

__all__ = ["is_reserved"]

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

_NESTING = r"\.|\[|(?<=[^_])__"


@lru_cache(maxsize=16 * 1024)  # names only, and hardly a ConfigMap has more of them
def is_reserved(name: str) -> bool:
    """Tell whether a variable or setting of this name is kept from the mounts.

    dynaconf drops spaces around a name, and takes one within for an underscore.
    """
    upper = name.strip().replace(" ", "_").upper()
    top = re.split(_NESTING, upper, maxsplit=1)[0]
    return any(part in RESERVED or part.endswith("_FOR_DYNACONF") for part in (upper, top))
