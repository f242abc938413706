"""A WSGI application whose ``/metrics`` answers for every worker of gunicorn."""

from collections.abc import Callable, Iterable
from typing import Any

from dynaconf import Dynaconf, Validator
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

from dynaconf_k8s_reload.prometheus import instrument

settings: Any = Dynaconf(
    envvar_prefix="SHOP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_restart_keys=["DATABASE"],
    validators=[Validator("POOL_SIZE", gte=1, lte=100, default=10)],
)
instrument(settings)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the metrics, or with a setting."""
    if environ["PATH_INFO"] == "/metrics":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [generate_latest(registry)]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"pool size {settings.POOL_SIZE}\n".encode()]
