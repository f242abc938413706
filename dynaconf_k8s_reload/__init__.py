"""dynaconf settings and ``os.environ`` that follow a mounted ConfigMap without a restart."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._model.changes import Change, Changes
    from ._model.errors import ConfigError, K8sReloadError, MountError, ReloadRejected
    from ._model.explanation import Explanation
    from ._model.mount import Mount
    from ._model.status import MountStatus, ReloadResult, Status
    from ._reload.finding import get_reloader
    from ._reload.reloader import Reloader

    __version__: str

__all__ = [
    "Change",
    "Changes",
    "ConfigError",
    "Explanation",
    "K8sReloadError",
    "Mount",
    "MountError",
    "MountStatus",
    "ReloadRejected",
    "ReloadResult",
    "Reloader",
    "Status",
    "__version__",
    "get_reloader",
]

_MODULES = {
    "_model.changes": ("Change", "Changes"),
    "_model.errors": ("ConfigError", "K8sReloadError", "MountError", "ReloadRejected"),
    "_model.mount": ("Mount",),
    "_model.explanation": ("Explanation",),
    "_reload.finding": ("get_reloader",),
    "_reload.reloader": ("Reloader",),
    "_model.status": ("MountStatus", "ReloadResult", "Status"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def load(*_: Any, **__: Any) -> None:
    """Say which loader is meant, where the list of loaders names this package.

    Raises:
        ConfigError: always.
    """
    raise __getattr__("ConfigError")(
        "dynaconf_k8s_reload is not a loader; write "
        'Dynaconf(loaders=["dynaconf_k8s_reload.loader"], ...)'
    )


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that pytest's plugin loads nothing but pytest."""
    if name == "__version__":
        value = import_module("importlib.metadata").version("dynaconf-k8s-reload")
    elif name in _MODULE_OF:
        value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
