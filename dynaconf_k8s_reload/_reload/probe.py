"""What a probe is answered, whatever the framework: a status code, and no value."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Literal

from .reloader import Reloader

Question = Literal["whole", "live", "ready"]


def probe(reloader: Reloader, question: Question = "whole") -> tuple[int, dict[str, Any]]:
    """Give the HTTP status code for a probe, and the status ready for JSON.

    Args:
        reloader: of the application.
        question: ``"live"`` asks whether the process may go on: 503 once it is not healthy, and
            with ``k8s_restart_503`` once a restart is required. ``"ready"`` asks whether it serves
            settings: 200 from the first generation on, since a process whose watch has failed
            serves its last good generation. The whole status is answered as ``"live"`` is.

    A rejected update never makes it 503: a pod that restarts into content that is refused would not
    come up, and replicas that are all taken out of service serve nobody.

    Raises:
        ConfigError: the settings are still being loaded.
    """
    status = reloader.status()
    restart = reloader.options.k8s_restart_503 and bool(status.restart_required)
    fine = question == "ready" or (status.healthy and not restart)
    return int(HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE), status.as_dict()
