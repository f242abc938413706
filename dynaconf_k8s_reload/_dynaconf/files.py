"""The settings files outside the mounts that a process which starts now would load."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from dynaconf.base import Settings
from dynaconf.utils import ensure_a_list
from dynaconf.utils.files import find_file

from .._source.fingerprint import Token
from . import state
from .generation import Attachment, attached

NAMING = (  # options that name files, or patterns of such
    "SETTINGS_FILE_FOR_DYNACONF",
    "SECRETS_FOR_DYNACONF",
    "INCLUDES_FOR_DYNACONF",
    "DYNACONF_INCLUDE",
    "PRELOAD_FOR_DYNACONF",
)
LOAD_DOTENV = "load_dotenv"
DOTENV = "DOTENV_PATH_FOR_DYNACONF"

# Imported by name: it claims to be typed, so type checkers would take all of dynaconf to be.
_dotenv_values: Any = import_module("dynaconf.vendor.dotenv").dotenv_values

Status = tuple[int, int, int]


def settings_files(settings: Settings) -> list[str]:
    """Give the files that were loaded, and those that would be if they were there.

    Files in a mount are left out, since they are a part of its content.
    """
    found = dict.fromkeys(map(os.path.abspath, _named(settings)))
    if not found:
        return []
    mounts = tuple(
        os.path.join(os.path.realpath(mount.path), "")
        for mount in attached(settings).generation.options.k8s_mounts
    )
    return [path for path in found if not os.path.realpath(path).startswith(mounts)]


def note_files(settings: Settings, attachment: Attachment) -> None:
    """Note how the files are that `settings` load, before they load them: no change goes unseen."""
    attachment.files = {path: _status(path) for path in settings_files(settings)}


def note_found_files(settings: Settings, attachment: Attachment) -> None:
    """Note the files that became known while `settings` were loaded.

    One that has appeared meanwhile may not have been loaded: it counts as absent, so that the next
    look finds it. Before a first load nobody could look, so its files are taken as they are.
    """
    noted = attachment.files
    attachment.files = {
        path: _status(path) if noted is None else noted.get(path)
        for path in settings_files(settings)
    }


def files_loaded(settings: Settings) -> Token:
    """Tell how the settings files outside the mounts were when they were loaded."""
    return _token(attached(settings).files or {})


def files_now(settings: Settings) -> Token:
    """Tell how the settings files outside the mounts are, as `files_loaded` tells it."""
    return _token({path: _status(path) for path in settings_files(settings)})


def _token(files: Mapping[str, Status | None]) -> Token:
    return Token((0, 0), files=tuple(sorted((path, str(status)) for path, status in files.items())))


def dotenv(settings: Settings) -> dict[str, str]:
    """Give the variables of the ``.env`` file that a process which starts now would load."""
    path = _dotenv_path(settings)
    found = {} if path is None else _dotenv_values(path)
    return {str(name): str(text) for name, text in found.items() if text is not None}


def without_dotenv(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keep dynaconf from writing a ``.env`` file into the environment once more.

    Its variables have been in the process's environment since the first load.
    """
    names = tuple(
        name for name in keywords if name.lower() == LOAD_DOTENV and keywords[name] is True
    )
    return {**keywords, **dict.fromkeys(names, False)}, names


def restore_dotenv(settings: Settings, names: Iterable[str]) -> None:
    """Show the option again as the application gave it."""
    for name in names:
        state.get(settings, "defaults")[name] = True
        settings.set(name, value=True, loader_identifier="init_kwargs", validate=False)


def _dotenv_path(settings: Settings) -> str | None:
    """Find the file as dynaconf does (``default_settings.start_dotenv``), if it is to be loaded."""
    keywords = attached(settings).generation.keywords
    if not any(str(name).lower() == LOAD_DOTENV and keywords[name] for name in keywords):
        return None
    path = os.environ.get(DOTENV) or find_file(
        ".env", project_root=os.environ.get("ROOT_PATH_FOR_DYNACONF")
    )
    return str(path) if path else None


def _named(settings: Settings) -> Iterator[str]:
    loaded = [str(path) for path in state.get(settings, "loaded_files")]
    yield from loaded
    root = str(state.option(settings, "ROOT_PATH_FOR_DYNACONF") or "")
    if not root and loaded:
        root = os.path.dirname(loaded[0])
    for option in NAMING:
        for name in ensure_a_list(state.option(settings, option)):
            base, extension = os.path.splitext(os.path.join(root, str(name)))
            for path in (f"{base}{extension}", f"{base}.local{extension}"):
                yield from glob.glob(path) if glob.has_magic(path) else [path]
    dotenv_path = _dotenv_path(settings)
    if dotenv_path is not None:
        yield dotenv_path


def _status(path: str) -> Status | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
