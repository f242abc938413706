"""An application's settings, loaded to be looked at, or why they cannot be."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from dynaconf.base import Settings

from .. import _dynaconf
from .._model.errors import K8sReloadError, MountError
from .._model.mount import Mount
from .._model.names import Names
from .._model.options import Options
from .._reload.finding import get_reloader
from .._reload.refusal import fault_of
from .._source.content import Payload
from .._source.reader import default_mounts
from .._source.reading import read
from .importing import DJANGOS, find
from .patience import UnfinishedError
from .screen import CannotRunError

LOGGER = "dynaconf_k8s_reload"
OFF: Mapping[str, Any] = {"k8s_watch": False, "k8s_last_good": None}


class Problem(NamedTuple):
    """Why settings cannot be loaded.

    Attributes:
        text: the reason, and after ``"; "`` the remedy; no value.
        keys: the variables, settings or files at fault, where they are known.
    """

    text: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Application:
    """What is known about an application.

    Attributes:
        settings: its settings object, loaded; None if it cannot be.
        attachment: what the loader attached to them; None if it is not in use.
        options: the options of what was loaded last; None if it has none of ours.
        problem: why the settings cannot be loaded.
        finished: the module that makes them could be imported to its end.
        written: the variables that importing it changed, by its own code.
        last_good: where it keeps the content that was accepted last; None if it does not.
    """

    settings: Any
    attachment: _dynaconf.Attachment | None
    options: Options | None
    problem: Problem | None
    finished: bool
    written: frozenset[str]
    last_good: str | None = None

    @property
    def names(self) -> Names | None:
        """How it makes settings of names."""
        return None if self.settings is None else _dynaconf.names(self.settings)


def load(name: str) -> Application:
    """Import ``package.module:settings`` from the working directory or where Python looks.

    Nothing is watched. The variables are mirrored, which the application's own code may rely on,
    and put back.

    Raises:
        CannotRunError: the object does not exist.
    """
    before = dict(os.environ)
    settings: Any = None
    problem = options = None
    finished = True
    kept: list[str | None] = []

    def prepare(module: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        with suppress(K8sReloadError):  # which is a problem of its own
            kept.append(Options.read(keywords, os.environ, default_mounts()).k8s_last_good)
        return for_a_look(module, keywords)

    with (
        _only_looking(),
        redirect_stdout(sys.stderr),  # what it prints is not for our screen
        _dynaconf.noting_constructions(prepare) as made,
    ):
        try:
            settings, finished = find(name)
        except CannotRunError:
            raise
        except (Exception, SystemExit, UnfinishedError) as error:  # noqa: BLE001 -- because an application may raise anything
            options = _options(made)
            mounts = () if options is None else options.k8s_mounts
            problem = problem_of(error, made, mounts)
    attachment = None if settings is None else _dynaconf.attachment_of(settings)
    if attachment is not None:
        options = attachment.generation.options
    for each in made:
        if _dynaconf.attachment_of(each) is not None:
            get_reloader(each).stop(restore=True)
    written = _changed(before, os.environ)
    last_good = next(filter(None, reversed(kept)), None)
    return Application(settings, attachment, options, problem, finished, written, last_good)


def problem_of(error: BaseException, made: Sequence[Settings], mounts: Sequence[Mount]) -> Problem:
    """Say why settings cannot be loaded, in our own words, for others' may hold a value.

    Args:
        error: what was raised.
        made: the settings objects that were made, complete or not.
        mounts: those of the application.
    """
    if type(error).__name__ == "ImproperlyConfigured" and DJANGOS not in os.environ:
        return Problem(
            f"Django does not know its settings module; set {DJANGOS}, such as to myshop.settings"
        )
    keys, reason = getattr(error, "keys", None), getattr(error, "reason", None)
    begins_with_mount = isinstance(error, MountError) and error.keys
    if isinstance(keys, tuple) and isinstance(reason, str) and not begins_with_mount:
        return Problem(str(error), keys)  # the culprit has been named already
    if isinstance(error, (K8sReloadError, UnfinishedError)) and not begins_with_mount:
        return Problem(str(error))
    if isinstance(error, ModuleNotFoundError) and made and (text := _wrong_loader(error, made[-1])):
        return Problem(text)
    snapshots = []
    for mount in mounts:
        with suppress(MountError):  # which is a finding of its own
            snapshots.append(read(mount))
    try:
        names = _dynaconf.names(made[-1])
    except (IndexError, AttributeError, KeyError):  # it did not get as far as that
        names = Names()
    fault = fault_of(error, names, Payload(snapshots))
    return Problem(
        f"{fault.subject}: {fault.reason}" if fault.subject else fault.reason, fault.keys
    )


def _wrong_loader(error: ModuleNotFoundError, settings: Settings) -> str | None:
    """Say which loader of an application does not exist, or that they are not a list."""
    loaders = getattr(settings, _dynaconf.LOADERS, None)
    if isinstance(loaders, str):  # of which dynaconf takes each letter for a loader
        return f"""the loaders are not a list; write {_dynaconf.LOADERS}='["{_dynaconf.LOADER}"]'"""
    missing = f"{error.name}."
    named = next((each for each in loaders or () if f"{each}.".startswith(missing)), None)
    return named and f"there is no loader {named}; {_dynaconf.how_to_load()}"


def _options(made: Sequence[Settings]) -> Options | None:
    """Give the options of the last object, as far as it got."""
    for settings in reversed(made):
        try:
            return Options.read(_dynaconf.keywords(settings), os.environ, default_mounts())
        except (K8sReloadError, AttributeError, KeyError):
            continue
    return None


def uses_loader(keywords: Mapping[str, Any]) -> bool:
    """Tell whether a settings object with these keywords will follow mounts."""
    named = os.environ.get(_dynaconf.LOADERS, keywords.get(_dynaconf.LOADERS))
    return _dynaconf.LOADER in str(named)


def for_a_look(module: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Give the arguments of a settings object that neither watches nor falls back to anything.

    Wrong options stay as they are, so that it is refused just as the application's own is.
    """
    if not uses_loader(keywords):
        return module, keywords
    try:
        Options.read(keywords, os.environ, default_mounts())
    except K8sReloadError:
        return module, keywords
    others = {name: value for name, value in keywords.items() if name.lower() not in OFF}
    return module, {**others, **{name.upper(): value for name, value in OFF.items()}}


@contextmanager
def _only_looking() -> Iterator[None]:
    log = logging.getLogger(LOGGER)
    level = log.level
    log.setLevel(logging.CRITICAL)  # what it would tell is found, too
    # Looking for locks to patch, gevent asks each object for its class, and Django's settings,
    # which dynaconf has imported by now, would want to be configured.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        log.setLevel(level)


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> frozenset[str]:
    names = {*before, *after}
    return frozenset(name for name in names if before.get(name) != after.get(name))
