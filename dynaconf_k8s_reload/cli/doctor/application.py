"""An application's settings, loaded for inspection only: nothing is watched or mirrored."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from ... import _dynaconf
from ..._model.errors import K8sReloadError, RedactedCause
from ..._model.names import Names
from ..._reload.generations import Generations
from ..screen import CannotRunError


@dataclass(frozen=True)
class Application:
    """What is known about an application.

    Attributes:
        settings: its settings object, loaded; None if it cannot be.
        attachment: what the loader attached to them; None if it is not in use.
        problem: why the settings cannot be loaded.
        written: the variables that importing it changed, by its own code.
    """

    settings: Any
    attachment: _dynaconf.Attachment | None
    problem: str
    written: frozenset[str]

    @property
    def names(self) -> Names | None:
        """How it makes settings of names."""
        return None if self.settings is None else _dynaconf.names(self.settings)


def load(name: str) -> Application:
    """Import ``package.module:settings`` from the working directory or where Python looks.

    Raises:
        CannotRunError: the object does not exist.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise CannotRunError(f"--settings {name}: write package.module:settings")
    sys.path.insert(0, os.getcwd())
    before = dict(os.environ)
    settings: Any = None
    attachment = None
    problem = ""
    with _only_looking(), redirect_stdout(sys.stderr):  # what it prints is not for our screen
        try:
            found = _attribute(module_name, attribute)
            settings = _dynaconf.unwrap(found)
            attachment = _dynaconf.attachment_of(settings)
        except CannotRunError:
            raise
        except K8sReloadError as error:
            problem = str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- because an application may raise anything
            problem = str(RedactedCause.of(error))
    return Application(settings, attachment, problem, _changed(before, os.environ))


def _attribute(module_name: str, attribute: str) -> Any:
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise CannotRunError(
            f"there is no module {error.name}; run it where it can be imported"
        ) from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise CannotRunError(f"{module_name} has no {part}; write package.module:settings")
        found = getattr(found, part)
    return found


@contextmanager
def _only_looking() -> Iterator[None]:
    Generations.inert = True
    # Looking for locks to patch, gevent asks each object for its class, and Django's settings,
    # which dynaconf has imported by now, would want to be configured.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        Generations.inert = False


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> frozenset[str]:
    names = {*before, *after}
    return frozenset(name for name in names if before.get(name) != after.get(name))
