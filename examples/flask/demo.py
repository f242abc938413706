"""Edit a ConfigMap under a running Flask application and see its answers follow.

What Kubernetes would do, this program does: it starts the application with the ConfigMap as
variables (``envFrom``) and as a mounted directory, and updates that directory as the kubelet does.
It exits with 1 if any answer is not the expected one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from dynaconf_k8s_reload.testing import AtomicWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
DEADLINE = 15.0  # seconds for anything to happen
LOOPBACK = "127.0.0.1"
EDITS = (
    ("KEY1 becomes NEW_VAL1", "KEY1", "NEW_VAL1"),
    ("KEY2 is deleted", "KEY2", None),
    ("KEY3 is added", "KEY3", "VAL3"),
)


class DemoError(Exception):
    """The application did not do what was expected of it."""


class Application:
    """The application in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> str:
        """Return the status and, for a found value, the body of one request."""
        connection = HTTPConnection(LOOPBACK, self.port, timeout=DEADLINE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        return f"{response.status} {body if response.status == 200 else response.reason}"

    def expect(self, path: str, expected: str, since: float) -> None:
        """Ask until the answer is the expected one; print how long after *since* that was."""
        answer = "no answer"
        while time.monotonic() < since + DEADLINE:
            if self.process.poll() is not None:
                message = f"the application ended with {self.process.returncode}"
                raise DemoError(message)
            try:
                answer = self.get(path)
            except (OSError, HTTPException) as error:  # it is still starting
                answer = f"no answer ({error})"
            if answer == expected:
                print(f"    GET {path:27} {answer:15} after {time.monotonic() - since:.3f} s")
                return
            time.sleep(0.002)
        message = f"GET {path} still gives {answer!r} after {DEADLINE:.0f} s, not {expected!r}"
        raise DemoError(message)

    def expect_everywhere(self, key: str, value: str | None, since: float) -> None:
        """Expect the environment variable and the setting to be *value*, or not to be."""
        expected = "404 NOT FOUND" if value is None else f"200 {value}"
        self.expect(f"/getEnvValue?var={key}", expected, since)
        self.expect(f"/settings/{key}", expected, since)


@contextmanager
def running(mount: Path, variables: Mapping[str, str]) -> Iterator[Application]:
    """Run the application on a free port, and stop it at the end; show its output if it failed."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    environment = {**os.environ, **variables, "CONFIG_DIR": str(mount)}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=HERE, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield Application(process, port)
        except DemoError:
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
            print("The application said, apart from its log of the requests:")
            print(*(line for line in lines if "HTTP/1.1" not in line), sep="\n", end="\n\n")
            raise
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def demonstrate(directory: Path) -> None:
    """Start the application on a mount in *directory*, then change, delete and add a key."""
    data = yaml.safe_load((HERE / "configmap.yaml").read_text())["data"]
    mount = directory / "config"
    volume = AtomicWriter(mount)
    volume.write(data)

    start = time.monotonic()
    with running(mount, variables=data) as application:
        pid = application.process.pid
        print(f"The application starts with the ConfigMap {data} (process {pid}):")
        for key, value in data.items():
            application.expect_everywhere(key, value, start)

        for edit, key, value in EDITS:
            print(f"\nkubectl edit configmap: {edit}")
            start = time.monotonic()
            if value is None:
                volume.delete(key)
            else:
                volume.set(key, value)
            application.expect_everywhere(key, value, start)

        print(f"\nAll as expected, and process {pid} was never restarted.")


def main() -> int:
    """Run the demonstration and return the exit status."""
    try:
        with tempfile.TemporaryDirectory() as directory:
            demonstrate(Path(directory))
    except DemoError as error:
        print(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
