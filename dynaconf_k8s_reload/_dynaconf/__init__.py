"""The private ground of dynaconf: build a candidate `Settings` aside, publish it, copy it.

All that this package knows of dynaconf's internals is in here, for both of its lines: up to 3.2 a
`Settings` keeps its state in attributes such as ``_defaults``, since 3.3 in ``__core__``. The tests
of this package hold each supported dynaconf to what is assumed.

A `Settings` keeps all its state in its instance dictionary, so handing a candidate's dictionary to
the live object is one assignment, and everybody who holds the live object follows.
"""

from .build import adopt, build, seal
from .children import all_current as is_current
from .children import hand_over as publish
from .children import replay_all as replay
from .literal import Literal
from .putting import is_scalar, put_all
from .snapshot import island
from .state import (
    Attachment,
    Owner,
    attached,
    attachment_of,
    constructing_wrapper,
    keywords,
    names,
    reads_mounts,
    reloader_of,
    remember,
    unwrap,
)
from .store import indexed
from .values import changes_between, pinned, values

# The face of this room: nobody outside uses anything else of it.
__all__ = [
    "Attachment",
    "Literal",
    "Owner",
    "adopt",
    "attached",
    "attachment_of",
    "build",
    "changes_between",
    "constructing_wrapper",
    "indexed",
    "is_current",
    "is_scalar",
    "island",
    "keywords",
    "names",
    "pinned",
    "publish",
    "put_all",
    "reads_mounts",
    "reloader_of",
    "remember",
    "replay",
    "seal",
    "unwrap",
    "values",
]
