"""The settings files outside the mounts that a process which starts now would load."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

from dynaconf.base import Settings
from dynaconf.utils import ensure_a_list

from . import state
from .generation import Attachment, attached
from .values import raw

NAMING = (  # options that name files, or patterns of such
    "SETTINGS_FILE_FOR_DYNACONF",
    "SECRETS_FOR_DYNACONF",
    "INCLUDES_FOR_DYNACONF",
    "DYNACONF_INCLUDE",
    "PRELOAD_FOR_DYNACONF",
)
DOTENV = "DOTENV_PATH_FOR_DYNACONF"

Status = tuple[int, int, int]


def settings_files(settings: Settings) -> list[str]:
    """Give the files that were loaded, and those that would be if they were there.

    Files in a mount are left out, since they are a part of its content.
    """
    mounts = tuple(
        os.path.join(os.path.realpath(mount.path), "")
        for mount in attached(settings).generation.options.k8s_mounts
    )
    found = dict.fromkeys(map(os.path.abspath, _named(settings)))
    return [path for path in found if not os.path.realpath(path).startswith(mounts)]


def note_files(settings: Settings, attachment: Attachment) -> None:
    """Note how the files are that `settings` have loaded, as far as that is not noted yet.

    A candidate's are looked at before it loads them, so that no later change goes unseen.
    """
    noted = attachment.files
    attachment.files = {
        path: noted[path] if path in noted else _status(path) for path in settings_files(settings)
    }


def files_changed(settings: Settings) -> bool:
    """Tell whether a settings file outside the mounts is another than the one that was loaded."""
    noted = attached(settings).files
    return noted != {path: _status(path) for path in settings_files(settings)}


def _named(settings: Settings) -> Iterator[str]:
    options = raw(settings)
    loaded = [str(path) for path in state.get(settings, "loaded_files")]
    yield from loaded
    root = str(options.get("ROOT_PATH_FOR_DYNACONF") or "")
    if not root and loaded:
        root = os.path.dirname(loaded[0])
    for option in NAMING:
        for name in ensure_a_list(options.get(option)):
            base, extension = os.path.splitext(os.path.join(root, str(name)))
            for path in (f"{base}{extension}", f"{base}.local{extension}"):
                yield from glob.glob(path) if glob.has_magic(path) else [path]
    keywords: dict[Any, Any] = dict(attached(settings).generation.keywords)
    if any(str(name).lower() == "load_dotenv" and keywords[name] for name in keywords):
        yield os.path.join(root, str(options.get(DOTENV) or ".env"))


def _status(path: str) -> Status | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
