"""dynaconf's entry point: the environment without the mounts' names, then the mounts.

Name it in ``loaders=["dynaconf_k8s_reload.loader"]``, where ``dynaconf.loaders.env_loader`` was.
"""

from __future__ import annotations

import os
import weakref
from functools import partial
from typing import Any

from dynaconf.base import Settings

from . import _dynaconf
from ._dynaconf import Attachment, Build, Generation
from ._environ.overlay import Proposal
from ._environ.staging import begin_stage, staged
from ._model.errors import ConfigError
from ._model.options import Options
from ._reload.refusal import without_values
from ._reload.reloader import Reloader
from ._source.content import Payload
from ._source.reader import default_mounts

__all__ = ["load"]


def load(obj: Any, env: Any = None, silent: Any = True, key: str | None = None, **_: Any) -> None:  # noqa: ARG001, FBT002 -- because dynaconf calls it so
    """Load the environment and the mounts into a settings object of dynaconf.

    The first load of an object reads the mounts; every later one serves the generation that the
    object has, never the disk. dynaconf gives `env` and `silent`, which make no difference here.

    Args:
        obj: the settings object that is being loaded.
        env: dynaconf's current environment.
        silent: dynaconf's wish to hear of no error.
        key: load this one top-level setting and what is nested in it.

    Raises:
        ConfigError: an option is wrong, or ``env_loader`` stands beside a mirroring mount.
        MountError: a mount cannot be read at the first load, or a required one is absent.
        ReloadRejected: a variable cannot be parsed at the first load.
    """
    settings = _dynaconf.unwrap(obj)
    attachment = _dynaconf.attachment_of(settings)
    if attachment is not None:
        _dynaconf.load(settings, attachment, key)
        return
    _dynaconf.quieten(settings)
    first, reloader = _first_load(settings)
    try:
        without_values(settings, lambda: _load_staged(settings, first, key))
    except Exception as error:  # whatever refuses a first load
        if not reloader.fallback.take(settings, error):
            raise
        _load_staged(settings, first, key)
    environment = first.generation.plan.environment.providing({})  # the rest is pending
    begin_stage(environment, partial(_dynaconf.is_constructing, weakref.ref(settings)))


def _load_staged(settings: Settings, attachment: Attachment, key: str | None) -> None:
    """Load in the environment to come: merging evaluates the templates of settings files."""
    with staged(attachment.generation.plan.environment):
        _dynaconf.load(settings, attachment, key)


def _first_load(settings: Settings) -> tuple[Attachment, Reloader]:
    options = Options.read(_dynaconf.keywords(settings), os.environ, default_mounts())
    mirroring = [mount.path for mount in options.k8s_mounts if options.mirrors(mount)]
    if mirroring and _dynaconf.has_env_loader(settings):
        which = _dynaconf.LOADERS if _dynaconf.LOADERS in os.environ else "the list"
        raise ConfigError(
            f"{_dynaconf.ENV_LOADER} is in the list of loaders beside the mirroring mount "
            f"{mirroring[0]}, and would bring back what a ConfigMap deletes; take it out of "
            f"{which}, since dynaconf_k8s_reload.loader loads the environment too, or say "
            "k8s_mirror=False"
        )
    names = _dynaconf.names(settings)
    options = options.for_application(names)
    replaced = _dynaconf.replaced_loaders(settings)
    wrapper = _dynaconf.constructing_wrapper(settings)
    reloader: Reloader = _dynaconf.reloader_of(wrapper) or Reloader(options)
    reloader.fallback.begin()
    payload = Payload(reloader.read_first(options))
    _, plans = reloader.mirror.plan(
        {reloader.key: Proposal(payload, (options, names))}, put_right=True
    )
    loads = replaced is None or _dynaconf.ENV_LOADER in replaced
    plan = plans[reloader.key]
    dropped = tuple(each for each in replaced or () if each != _dynaconf.ENV_LOADER)
    generation = Generation(
        reloader, options, payload, plan, wrapper=wrapper, loads=loads, dropped=dropped
    )
    attachment = Attachment(generation, Build())
    _dynaconf.adopt(settings, attachment)
    return attachment, reloader
