"""A small API server, and a kubelet for each pod: what ``rollout`` needs of a cluster.

Pods are processes of this machine with volumes of their own, ``exec`` runs the command beside them,
and a kubelet writes its pod's volumes when the pod is annotated, as the real one does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dynaconf_k8s_reload.testing import AtomicWriter

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
STDOUT, STDERR, ERROR = 1, 2, 3  # channels of v4.channel.k8s.io
DATA, FAULT = 0, 1  # of a port that is forwarded

Json = dict[str, Any]


class Pod:
    """A pod, its volumes, and how to ask its processes.

    Args:
        spec: ``metadata``, ``spec`` and ``status`` as the API gives them.
        volumes: resource as ``kind/name`` to the volume that its kubelet writes.
        pids: gives the processes of its container.
    """

    def __init__(
        self,
        spec: Json,
        volumes: Mapping[str, AtomicWriter],
        pids: Callable[[], list[int]] | None = None,
    ) -> None:
        self.spec = spec
        self.volumes = volumes
        self.pids = pids

    def run(self, command: list[str]) -> tuple[bytes, bytes, int | None]:
        """Run a command in its container: give output, errors and exit status, if it has one."""
        if self.pids is None or command[0] != "dynaconf-k8s-reload":
            return b"", b"", 127
        words = [*command[1:], *map(str, self.pids())]
        run = subprocess.run(
            [sys.executable, "-m", "dynaconf_k8s_reload", *words],
            capture_output=True,
            timeout=60,
            check=False,
        )
        return run.stdout, run.stderr, run.returncode


class ApiServer:
    """Objects by path, pods that live, and what was asked.

    Attributes:
        objects: path below the namespace, such as ``configmaps/shop``, to object.
        pods: the pods by name.
        asked: method and path of each request that changes something.
        on_patch: called with the path of an object of ``apps`` that was patched.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.pods: dict[str, Pod] = {}
        self.asked: list[str] = []
        self.on_patch: Callable[[str], object] = lambda _: None
        self.refuse: tuple[int, str] | None = None

    def write_config(self, path: Path, namespace: str | None = "shop") -> None:
        """Write a kubeconfig that leads here."""
        context: Json = {"cluster": "c", "user": "u"}
        if namespace is not None:
            context["namespace"] = namespace
        cluster = {"server": f"http://127.0.0.1:{self.port}"}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                    "contexts": [{"name": "x", "context": context}],
                    "current-context": "x",
                }
            )
        )

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @contextlib.contextmanager
    def serving(self) -> Iterator[ApiServer]:
        """Answer requests within the block."""
        owner = self

        class Bound(_Handler):
            api = owner

        self.server = _Server(("127.0.0.1", 0), Bound)
        self.server.daemon_threads = True
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def sync(self, pod: Pod) -> None:
        """Do what the pod's kubelet does: write the volumes that differ."""
        for name, volume in pod.volumes.items():
            found = self.objects[name]
            volume.write(dict(found.get("data") or {}))


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that left while they were being answered."""

    request_queue_size = 64  # a roll-out asks sixteen pods at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    api: ApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def setup(self) -> None:
        super().setup()
        self.close_connection = True

    def _parts(self) -> tuple[str, dict[str, list[str]]]:
        split = urlsplit(self.path)
        _, _, below = split.path.partition("/namespaces/shop/")
        return below, parse_qs(split.query)

    def _body(self) -> Json:
        body: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _answer(self, body: Json, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _absent(self, path: str) -> None:
        self._answer({"kind": "Status", "message": f"{path} not found"}, 404)

    def _note(self, path: str, query: dict[str, list[str]]) -> bool:
        """Tell whether the change is to be made, not only tried."""
        dry = query.get("dryRun") == ["All"]
        self.api.asked.append(f"{self.command} {path}{' (dry run)' if dry else ''}")
        return not dry

    def do_GET(self) -> None:
        path, query = self._parts()
        if path == "pods":
            wanted = dict(e.split("=") for e in query.get("labelSelector", [""])[0].split(",") if e)
            items = [
                pod.spec
                for pod in self.api.pods.values()
                if wanted.items() <= (pod.spec["metadata"].get("labels") or {}).items()
            ]
            self._answer({"items": items})
        elif path.endswith("/exec") and path.split("/")[1] in self.api.pods:
            self._exec(self.api.pods[path.split("/")[1]], query["command"])
        elif path.endswith("/portforward") and path.split("/")[1] in self.api.pods:
            self._forward(int(query["ports"][0]))
        elif path in self.api.objects:
            self._answer(self.api.objects[path])
        else:
            self._absent(path)

    def do_PUT(self) -> None:
        path, query = self._parts()
        body = self._body()
        if self.api.refuse is not None:
            status, message = self.api.refuse
            self._answer({"kind": "Status", "message": message}, status)
            return
        if self._note(path, query):
            self.api.objects[path] = body
        self._answer(body)

    def do_POST(self) -> None:
        path, query = self._parts()
        body = self._body()
        if self._note(path, query):
            self.api.objects[f"{path}/{body['metadata']['name']}"] = body
        self._answer(body, 201)

    def do_PATCH(self) -> None:
        path, query = self._parts()
        body = self._body()
        self._note(path, query)
        kind, _, name = path.partition("/")
        if kind == "pods":
            if name not in self.api.pods:
                self._absent(path)
                return
            pod = self.api.pods[name]
            metadata = pod.spec["metadata"]
            metadata.setdefault("annotations", {}).update(body["metadata"]["annotations"])
            self.api.sync(pod)
            self._answer(pod.spec)
        elif path in self.api.objects:
            self.api.on_patch(path)
            self._answer(self.api.objects[path])
        else:
            self._absent(path)

    def _exec(self, pod: Pod, command: list[str]) -> None:
        self._upgrade()
        output, errors, status = pod.run(command)
        success = {"status": "Success"}
        failure = {"status": "Failure", "message": f"command terminated with exit code {status}"}
        if status == 127:
            failure["message"] = f"exec: {command[0]!r}: executable file not found in $PATH"
        self._frame(STDOUT, output)
        self._frame(STDERR, errors)
        if status is not None:
            self._frame(ERROR, json.dumps(failure if status else success).encode())
        with contextlib.suppress(OSError):
            self.wfile.write(b"\x88\x00")

    def _forward(self, port: int) -> None:
        """Carry one request, whose answer ends with its connection, to a port of this machine."""
        self._upgrade()
        with contextlib.suppress(OSError, ValueError):  # the client may go at any moment
            for channel in (DATA, FAULT):
                self._frame(channel, struct.pack("<H", port))
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += self._sent()[1:]
            try:
                upstream = socket.create_connection(("127.0.0.1", port), 10)
            except OSError as error:
                self._frame(FAULT, str(error).encode())
            else:
                with upstream:
                    upstream.sendall(request)
                    while data := upstream.recv(65536):
                        self._frame(DATA, data)
            self.wfile.write(b"\x88\x00")

    def _sent(self) -> bytes:
        """Give the payload of the next frame, which a client masks."""
        _, length = self.rfile.read(2)
        length &= 127
        if length == 126:
            (length,) = struct.unpack(">H", self.rfile.read(2))
        mask = self.rfile.read(4)
        return bytes(byte ^ mask[n % 4] for n, byte in enumerate(self.rfile.read(length)))

    def _upgrade(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()

    def _frame(self, channel: int, data: bytes) -> None:
        if data:
            payload = bytes([channel]) + data
            self.wfile.write(b"\x82\x7f" + struct.pack(">Q", len(payload)) + payload)
