"""The adapter to dynaconf's internals: build a candidate `Settings` aside, publish it, copy it.

All that this package knows of dynaconf's internals is in here, for both of its lines: up to 3.2 a
`Settings` keeps its state in attributes such as ``_defaults``, since 3.3 in ``__core__``. The tests
of this package hold each supported dynaconf to what is assumed.

A `Settings` keeps all its state in its instance dictionary, so handing a candidate's dictionary to
the live object is one assignment, and everybody who holds the live object follows.
"""

from .blame import Blame, culprit_of
from .build import adopt, candidate_for, complete_candidate, load_candidate, seal
from .children import replay
from .constructions import noting_constructions
from .exports import renew as renew_exports
from .files import dotenv, files_loaded, files_now, note_files, note_found_files, settings_files
from .first_use import before_first_use, used
from .frames import missing_import, place_of, told, words_of
from .generation import Attachment, Build, Generation, Owner, attached, attachment_of
from .history import source_of
from .identity import keep_identity, keep_live
from .present import shown_to_thread
from .quiet import quieten
from .snapshot import snapshot_of
from .state import (
    constructing_wrapper,
    is_constructing,
    keywords,
    names,
    reads_mounts,
    reloader_of,
    remember,
    unwrap,
)
from .takeover import is_current, is_replayed, publish
from .title import title_of
from .unrepeatable import lost, outdated
from .values import changes_between, flat_values
from .variables import (
    ENV_LOADER,
    LOADER,
    LOADERS,
    has_env_loader,
    how_to_load,
    load,
    replaced_loaders,
)

# The face of this room: nobody outside uses anything else of it.
__all__ = [
    "ENV_LOADER",
    "LOADER",
    "LOADERS",
    "Attachment",
    "Blame",
    "Build",
    "Generation",
    "Owner",
    "adopt",
    "attached",
    "attachment_of",
    "before_first_use",
    "candidate_for",
    "changes_between",
    "complete_candidate",
    "constructing_wrapper",
    "culprit_of",
    "dotenv",
    "files_loaded",
    "files_now",
    "flat_values",
    "has_env_loader",
    "how_to_load",
    "is_constructing",
    "is_current",
    "is_replayed",
    "keep_identity",
    "keep_live",
    "keywords",
    "load",
    "load_candidate",
    "lost",
    "missing_import",
    "names",
    "note_files",
    "note_found_files",
    "noting_constructions",
    "outdated",
    "place_of",
    "publish",
    "quieten",
    "reads_mounts",
    "reloader_of",
    "remember",
    "renew_exports",
    "replaced_loaders",
    "replay",
    "seal",
    "settings_files",
    "shown_to_thread",
    "snapshot_of",
    "source_of",
    "title_of",
    "told",
    "unwrap",
    "used",
    "words_of",
]
