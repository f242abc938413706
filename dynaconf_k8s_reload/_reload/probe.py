"""What a liveness probe is answered, whatever the framework: a status code, and no value."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from .reloader import Reloader


def probe(reloader: Reloader) -> tuple[int, dict[str, Any]]:
    """Give the HTTP status code for a probe, and the status ready for JSON.

    The code is 200 while the reloader is healthy, else 503; with ``k8s_restart_503`` it is also 503
    once a restart is required. A rejected update never makes it 503: a pod that restarts into
    content that is refused would not come up.

    Raises:
        ConfigError: the settings are still being loaded.
    """
    status = reloader.status()
    restart = reloader.options.k8s_restart_503 and bool(status.restart_required)
    code = HTTPStatus.OK if status.healthy and not restart else HTTPStatus.SERVICE_UNAVAILABLE
    return int(code), status.as_dict()
