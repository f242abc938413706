"""`Problem`: why an application's settings are not loaded or not taken, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from dynaconf.base import Settings

from .. import _dynaconf
from .._model.changes import Changes
from .._model.errors import K8sReloadError, MountError
from .._model.mount import Mount
from .._model.names import Names
from .._model.options import Options
from .._reload.finding import get_reloader
from .._reload.refusal import CheckFailedError, Fault, fault_of
from .._source.content import Payload
from .._source.reader import default_mounts
from .._source.reading import read
from .importing import DJANGOS
from .patience import UnfinishedError, loading_patience
from .screen import listed


class Problem(NamedTuple):
    """Why settings cannot be loaded, or are not taken.

    Attributes:
        text: the reason, and after ``"; "`` the remedy if it is known; no value.
        keys: the variables, settings or files at fault, where they are known.
        mount: the mount that provides them.
    """

    text: str
    keys: tuple[str, ...] = ()
    mount: str | None = None

    def remedy(self, name: str) -> str:
        """Say what to do.

        Args:
            name: the settings, such as ``package.module:settings``.
        """
        _, _, known = self.text.partition("; ")
        if known:
            return known
        if not self.keys:
            module, _, path = name.partition(":")
            first = path.partition(".")[0] or "settings"
            return (
                f"correct it there, or what it reads; python -c 'from {module} import {first}; "
                f"{path or first}.get' shows the whole traceback, values included"
            )
        keys = listed(self.keys)
        if self.mount is not None:
            return (
                f"correct {keys} in the ConfigMap or Secret mounted at {self.mount}; try it first "
                f"with dynaconf-k8s-reload check --settings {name} -f MANIFEST"
            )
        if os.path.isfile(self.keys[0]):
            return f"correct {keys}"
        return f"give {keys} a value that is taken, in a mount, a variable or a settings file"


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
        # The culprit has been named already.
        return Problem(str(error), keys, getattr(error, "mount", None))
    if isinstance(error, (K8sReloadError, UnfinishedError)) and not begins_with_mount:
        return Problem(str(error))
    if isinstance(error, ModuleNotFoundError) and (text := _missing(error, made)):
        return Problem(text)
    snapshots = []
    for mount in mounts:
        with suppress(MountError):  # which is a finding of its own
            snapshots.append(read(mount))
    options = options_of(made) or Options()
    return _of_fault(fault_of(error, names_of(made), options, Payload(snapshots)))


def names_of(made: Sequence[Settings]) -> Names:
    """Say how the last object makes settings of names; as dynaconf does if it is not known."""
    try:
        return _dynaconf.names(made[-1])
    except (IndexError, AttributeError, KeyError):  # it did not get as far as that
        return Names()


def options_of(made: Sequence[Settings]) -> Options | None:
    """Give the options of the last object, as far as it got; None if it has none of ours."""
    for settings in reversed(made):
        try:
            options = Options.read(_dynaconf.keywords(settings), os.environ, default_mounts())
            return options.for_application(names_of([settings]))
        except (K8sReloadError, AttributeError, KeyError):
            continue
    return None


def refused_by_check(made: Sequence[Settings], name: str) -> Problem | None:
    """Have the application's ``on_validate`` checks look at what it has loaded, without a change.

    Told that all were new, one that keeps a key from changing would refuse it.

    Args:
        made: its settings objects.
        name: what they are called, if a check goes on and on.
    """
    for settings in made:
        attachment = _dynaconf.attachment_of(settings)
        if attachment is None:
            continue
        checks = get_reloader(settings).generations.checks
        try:
            with loading_patience(name):
                checks.run(settings, Changes())
        except CheckFailedError as error:
            options, payload = attachment.generation.options, attachment.generation.payload
            names = _dynaconf.names(settings)
            return _of_fault(fault_of(error, names, options, payload))
        except (UnfinishedError, SystemExit) as error:
            return problem_of(error, [settings], ())
    return None


def _of_fault(fault: Fault) -> Problem:
    text = f"{fault.subject}: {fault.reason}" if fault.subject else fault.reason
    return Problem(text, fault.keys, fault.mount)


def _missing(error: ModuleNotFoundError, made: Sequence[Settings]) -> str | None:
    """Say which module does not exist: a loader, or what a module of the application imports."""
    if made and (text := _wrong_loader(error, made[-1])):
        return text
    missing = _dynaconf.missing_import(error)
    return f"there is no module {missing}; install it beside this command" if missing else None


def _wrong_loader(error: ModuleNotFoundError, settings: Settings) -> str | None:
    """Say which loader of an application does not exist, or that they are not a list."""
    loaders = getattr(settings, _dynaconf.LOADERS, None)
    if isinstance(loaders, str):  # of which dynaconf takes each letter for a loader
        return f"""the loaders are not a list; write {_dynaconf.LOADERS}='["{_dynaconf.LOADER}"]'"""
    missing = f"{error.name}."
    named = next((each for each in loaders or () if f"{each}.".startswith(missing)), None)
    return named and f"there is no loader {named}; {_dynaconf.how_to_load()}"
