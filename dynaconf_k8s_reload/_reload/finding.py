"""`get_reloader`: from an application's settings object to its `Reloader`."""

from __future__ import annotations

from typing import Any, cast

from .. import _dynaconf
from .._model.errors import ConfigError
from .reloader import Reloader


def get_reloader(settings: Any) -> Reloader:
    """Return the reloader of a ``Dynaconf``, ``LazySettings`` or ``Settings`` object.

    A lazy object that has not been loaded yet is loaded.

    Raises:
        ConfigError: it is not a settings object, or the loader is not in use.
    """
    inner = _dynaconf.unwrap(settings)
    while inner is not settings:  # Django's override_settings wraps a wrapper
        settings, inner = inner, _dynaconf.unwrap(inner)
    attachment = _dynaconf.attachment_of(inner)
    if attachment is None:
        raise ConfigError(
            f"these settings are not loaded by dynaconf-k8s-reload; {_dynaconf.how_to_load()}"
        )
    return cast("Reloader", attachment.generation.owner)  # nobody else makes attachments
