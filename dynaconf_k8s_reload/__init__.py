"""dynaconf settings and ``os.environ`` that follow a mounted ConfigMap without a restart."""

from .changes import Change, Changes
from .exceptions import ConfigError, K8sReloadError, MountError, ReloadRejected
from .mounts import Mount
from .reloader import Reloader, get_reloader
from .status import MountStatus, ReloadResult, Status

__all__ = [
    "Change",
    "Changes",
    "ConfigError",
    "K8sReloadError",
    "Mount",
    "MountError",
    "MountStatus",
    "ReloadRejected",
    "ReloadResult",
    "Reloader",
    "Status",
    "get_reloader",
]
