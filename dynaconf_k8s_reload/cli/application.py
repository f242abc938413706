"""An application's settings, loaded to be looked at, or why they cannot be."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

from .. import _dynaconf
from .._model.errors import K8sReloadError
from .._model.names import Names
from .._model.options import Options
from .._reload.finding import get_reloader
from .._source.reader import default_mounts
from .importing import find
from .patience import UnfinishedError
from .problem import Problem, names_of, options_of, problem_of, refused_by_check
from .screen import CannotRunError

LOGGER = "dynaconf_k8s_reload"
OFF: Mapping[str, Any] = {"k8s_watch": False, "k8s_last_good": None}


@dataclass(frozen=True)
class Application:
    """What is known about an application.

    Attributes:
        name: what it was asked for by, such as ``package.module:settings``.
        names: how it makes settings of names.
        settings: its settings object, loaded; None if it cannot be.
        attachment: what the loader attached to them; None if it is not in use.
        options: the options of what was loaded last; None if it has none of ours.
        problem: why the settings cannot be loaded.
        refused: why a reload would refuse what has been loaded.
        follows: at least one of its settings objects has the loader in its list.
        finished: the module that makes them could be imported to its end.
        written: the variables that importing it changed, by its own code.
        last_good: where it keeps the content that was accepted last; None if it does not.
    """

    name: str
    names: Names
    settings: Any
    attachment: _dynaconf.Attachment | None
    options: Options | None
    problem: Problem | None
    refused: Problem | None
    follows: bool
    finished: bool
    written: frozenset[str]
    last_good: str | None


def load(name: str) -> Application:
    """Import ``package.module:settings`` from the working directory or where Python looks.

    Nothing is watched. The variables are mirrored, which the application's own code may rely on,
    and put back.

    Raises:
        CannotRunError: the object does not exist.
    """
    before = dict(os.environ)
    settings: Any = None
    problem = options = refused = None
    finished = True
    noted = _Noted()
    with (
        _only_looking(),
        redirect_stdout(sys.stderr),  # what it prints is not for our screen
        _dynaconf.noting_constructions(noted.prepare) as made,
    ):
        try:
            settings, finished = find(name)
        except CannotRunError:
            raise
        except (Exception, SystemExit, UnfinishedError) as error:  # noqa: BLE001 -- because an application may raise anything
            options = options_of(made)
            mounts = () if options is None or not any(noted.follows) else options.k8s_mounts
            problem = problem_of(error, made, mounts)
        else:
            refused = refused_by_check(made, name)
    attachment = None if settings is None else _dynaconf.attachment_of(settings)
    if attachment is not None:
        options = attachment.generation.options
    for each in made:
        if _dynaconf.attachment_of(each) is not None:
            get_reloader(each).stop(restore=True)
    return Application(
        name=name,
        names=names_of(made) if settings is None else _dynaconf.names(settings),
        settings=settings,
        attachment=attachment,
        options=options,
        problem=problem,
        refused=refused,
        follows=any(noted.follows) or not noted.follows,
        finished=finished,
        written=_changed(before, os.environ),
        last_good=next(filter(None, reversed(noted.last_good)), None),
    )


class _Noted:
    """What the arguments of an application's settings objects tell, noted as each is made.

    Attributes:
        follows: of each, whether it uses the loader.
        last_good: of each whose options are right, its ``k8s_last_good``.
    """

    def __init__(self) -> None:
        self.follows: list[bool] = []
        self.last_good: list[str | None] = []

    def prepare(self, module: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Note them, and give those with which the object is made to be looked at."""
        self.follows.append(uses_loader(keywords))
        with suppress(K8sReloadError):  # which is a problem of its own
            options = Options.read(keywords, os.environ, default_mounts())
            self.last_good.append(options.k8s_last_good)
        return for_a_look(module, keywords)


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
