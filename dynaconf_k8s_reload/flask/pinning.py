"""Each request of a Flask application within one generation, a streamed answer included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._reload.pin import Pin, keep


class PinMiddleware:
    """A WSGI middleware that pins each request, until its answer is closed."""

    def __init__(self, app: Any, pin: Pin) -> None:
        self._app = app
        self._pin = pin

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        with self._pin:
            body: Iterable[bytes] = self._app(environ, start_response)
            if isinstance(body, (list, tuple)) or _is_file(body, environ):
                return body
            return keep(body)


def _is_file(body: object, environ: dict[str, Any]) -> bool:
    """Tell whether the server knows this body as a file, which it may send without reading it."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)
