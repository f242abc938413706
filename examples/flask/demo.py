"""Edit a ConfigMap under a running Flask application and see its answers follow.

What Kubernetes would do, this program does: it starts the application with the ConfigMap as
variables (``envFrom``) and as a mounted directory, which ``dynaconf-k8s-reload apply --watch``
updates as the kubelet would whenever the manifest is saved. It exits with 1 if any answer is not
the expected one.
"""

from __future__ import annotations

import copy
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
DEADLINE = 30.0  # seconds for anything to happen
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

    def __init__(self, process: Popen[bytes], port: int) -> None:
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
def process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Popen[bytes]]:
    """Run a program, and stop it at the end; show what it said if the demonstration failed."""
    with tempfile.TemporaryFile() as output:
        started = Popen(
            [sys.executable, "-m", *command],
            cwd=HERE,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield started
        except DemoError:
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
            print(f"{command[0]} said, apart from its log of the requests:")
            print(*(line for line in lines if "HTTP/1.1" not in line), sep="\n", end="\n\n")
            raise
        finally:
            started.terminate()
            try:
                started.wait(timeout=5)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def running(mount: Path, variables: Mapping[str, str]) -> Iterator[Application]:
    """Run the application on a free port."""
    with socket.socket() as held:  # nobody else is given the port, and Flask may listen on it
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, 0))
        port = held.getsockname()[1]
        command = ["flask", "--app", "app", "run", "--port", str(port)]
        with process(command, {**variables, "CONFIG_DIR": str(mount)}) as started:
            yield Application(started, port)


@contextmanager
def applied(manifest: Path, mount: Path) -> Iterator[None]:
    """Have the manifest written into the mount, now and whenever it is saved."""
    command = ["dynaconf_k8s_reload", "apply", "--watch", "-f", str(manifest), str(mount)]
    with process(command, {}) as started:
        give_up = time.monotonic() + DEADLINE
        while not (mount / "..data").exists():
            if started.poll() is not None or time.monotonic() > give_up:
                message = f"the manifest was not applied within {DEADLINE:.0f} s"
                raise DemoError(message)
            time.sleep(0.01)
        yield


def save(manifest: Path, configmap: Mapping[str, Any]) -> None:
    """Save the manifest as an editor does, in one go."""
    draft = manifest.with_suffix(".draft")
    draft.write_text(yaml.safe_dump(configmap))
    draft.replace(manifest)


def demonstrate(directory: Path) -> None:
    """Start the application on a mount in *directory*, then change, delete and add a key."""
    configmap = yaml.safe_load((HERE / "configmap.yaml").read_text())
    variables, edited = configmap["data"], copy.deepcopy(configmap)
    manifest, mount = directory / "configmap.yaml", directory / "config"
    save(manifest, configmap)

    start = time.monotonic()
    with applied(manifest, mount), running(mount, variables) as application:
        pid = application.process.pid
        print(f"The application starts with the ConfigMap {variables} (process {pid}):")
        for key, value in variables.items():
            application.expect_everywhere(key, value, start)

        for edit, key, value in EDITS:
            print(f"\nkubectl edit configmap: {edit}")
            if value is None:
                del edited["data"][key]
            else:
                edited["data"][key] = value
            start = time.monotonic()
            save(manifest, edited)
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
