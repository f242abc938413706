"""Asking the processes of a container: by a command in it, else by its status page."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward, stream, ws_client
from kubernetes.stream.ws_client import ERROR_CHANNEL
from urllib3.exceptions import HTTPError
from websocket import WebSocket, WebSocketException

from .uses import Page, Use
from .verdict import Answer, are_statuses

COMMANDS = (
    ["dynaconf-k8s-reload", "status", "--json"],
    ["python", "-m", "dynaconf_k8s_reload", "status", "--json"],
)
EXEC_SECONDS = 20
REQUEST_SECONDS = 30
PAGE_SECONDS = 10
CLOSE_EVERY = 0.005
HANDSHAKE = " -+-+- "  # between what websocket-client says of a failed handshake, and its answer
PAGE_REQUESTS = 8  # each over a connection of its own, so that several workers answer


class _PatientSocket(WebSocket):  # type: ignore[misc] # reason: untyped
    """Gives up a handshake that nobody answers: Kubernetes' client sets no limit for it."""

    def connect(self, url: str, **options: Any) -> None:
        super().connect(url, **options, timeout=EXEC_SECONDS)
        self.settimeout(None)  # from here on each use has limits of its own


ws_client.WebSocket = _PatientSocket


def ask(use: Use, namespace: str) -> Answer:
    """Give the status of a container's processes, or say why nobody answers.

    The command answers for every process. A status page answers for the worker that takes the
    request, so it is asked several times, and only where the command does not answer.
    """
    answer = _by_command(use, namespace)
    if answer.silence:
        for page in use.pages:
            statuses = _by_page(use.pod, namespace, page)
            if statuses:
                return Answer(statuses, by_page=True)
    return answer


def told(error: Exception) -> str:
    """Repeat what the API server says, which never shows a value of a ConfigMap or Secret."""
    reason, *answer = str(getattr(error, "reason", "") or type(error).__name__).split(HANDSHAKE)
    body = getattr(error, "body", None) or "".join(answer[-1:])
    try:
        return str(json.loads(body)["message"])
    except (KeyError, TypeError, ValueError):
        return reason.strip()


def _by_command(use: Use, namespace: str) -> Answer:
    reason = ""
    for command in COMMANDS:
        try:
            output, reason = _run(use, namespace, command)
            answer = json.loads(output)
        except ValueError:
            continue
        except (ApiException, HTTPError, OSError, WebSocketException) as error:
            return Answer(silence=f"exec failed: {told(error)}")
        if are_statuses(answer):
            return Answer(answer)
        return Answer(silence="its answer cannot be read; install the same release there")
    return Answer(
        silence=f"{COMMANDS[0][0]} status does not answer there ({reason or 'no output'})"
    )


def _run(use: Use, namespace: str, command: Sequence[str]) -> tuple[str, str]:
    """Run a command; give what it writes, and what is wrong in one line."""
    # `stream` replaces a method of the client for a while, so each thread has one of its own.
    with client.ApiClient() as own:
        running = stream(
            client.CoreV1Api(own).connect_get_namespaced_pod_exec,
            use.pod,
            namespace,
            container=use.container,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
            _request_timeout=REQUEST_SECONDS,
        )
        try:
            running.sock.settimeout(EXEC_SECONDS)  # a node may vanish in the middle of a frame
            running.run_forever(timeout=EXEC_SECONDS)
            output, errors = running.read_stdout(timeout=0), running.read_stderr(timeout=0)
            ended = running.read_channel(ERROR_CHANNEL, timeout=0)
        finally:
            running.sock.shutdown()  # `close` leaves a socket open whose other end has closed
    try:
        message = str(json.loads(ended).get("message") or "")
    except ValueError:
        message = ""
    return output, next(iter((errors or message).strip().splitlines()), "")


def _by_page(pod: str, namespace: str, page: Page) -> list[dict[str, Any]]:
    """Give the status of each worker that answers; empty if what answers is no status page."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(PAGE_REQUESTS):
        try:
            status = json.loads(_get(pod, namespace, page))
            if not are_statuses([status]):
                return []
            found[status["pid"]] = status
        except (ApiException, HTTPError, OSError, http.client.HTTPException):
            return []
        except (KeyError, TypeError, ValueError):  # some other page
            return []
    return list(found.values())


def _get(pod: str, namespace: str, page: Page) -> bytes:
    with client.ApiClient() as own:
        forwarded = portforward(
            client.CoreV1Api(own).connect_get_namespaced_pod_portforward,
            pod,
            namespace,
            ports=str(page.port),
        )
        try:
            connection = http.client.HTTPConnection(pod, timeout=PAGE_SECONDS)
            connection.sock = forwarded.socket(page.port)
            connection.sock.settimeout(PAGE_SECONDS)
            connection.request(
                "GET", page.path, headers={**dict(page.headers), "Connection": "close"}
            )
            return connection.getresponse().read()
        finally:
            forwarded.close()
            # The client's thread then ends, but leaves a socket open whose other end closed first.
            deadline = time.monotonic() + PAGE_SECONDS
            while forwarded.connected and time.monotonic() < deadline:
                time.sleep(CLOSE_EVERY)  # pragma: no cover # reason: it may have closed by now
            forwarded.websocket.shutdown()
