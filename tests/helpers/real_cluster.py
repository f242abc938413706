"""A namespace of the real cluster that ``KUBECONFIG`` names, and pods in it that run this Python.

Its one node is this machine: a pod has the interpreter, the package and the tests' programs by
``hostPath``, so any image that the node has will do (``CLUSTER_IMAGE``).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, utils

import dynaconf_k8s_reload
from applications import PROGRAMS
from command import Done, run_process
from support import eventually

IMAGE = os.environ.get("CLUSTER_IMAGE", "docker.io/local/bb:1")
PATIENCE = 180.0  # seconds, for a node that is busy
MOUNT = "/config"
PACKAGE = str(Path(dynaconf_k8s_reload.__file__).parents[1])
PATH = f"{sys.prefix}/bin:/usr/bin:/bin"
SHARED = ("/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix, PACKAGE, str(PROGRAMS.parent))
HOST = [path for path in dict.fromkeys(SHARED) if os.path.isdir(path)]

Json = dict[str, Any]

NEEDS_CLUSTER = [
    pytest.mark.skipif(
        "KUBECONFIG" not in os.environ,
        reason="KUBECONFIG names no cluster whose node is this machine; see CONTRIBUTING.md",
    ),
    # A cluster for tests may have a certificate of its own.
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]


@contextmanager
def api() -> Iterator[client.ApiClient]:
    """Give a client of the cluster, for a few calls."""
    settings = client.Configuration()
    config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=settings)
    with client.ApiClient(settings) as made:
        yield made
        made.rest_client.pool_manager.clear()


def free_port() -> int:
    """Find a port for a pod on the host's network."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Namespace:
    """A namespace for one test.

    Args:
        directory: where manifests are written.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory

    def create(self, *objects: Json) -> None:
        """Have the cluster hold objects."""
        with api() as made:
            for each in objects:
                utils.create_from_dict(made, each, namespace=self.name)

    def manifest(self, name: str = "shop", **data: object) -> Path:
        """Write the manifest of a ConfigMap."""
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(config_map(name, **data)))
        return path

    def deploy(
        self,
        name: str,
        command: Sequence[str],
        *,
        replicas: int = 1,
        variables: Mapping[str, str] | None = None,
        mount: Json | None = None,
        volume: Json | None = None,
        **container: Any,
    ) -> None:
        """Make a Deployment whose container has ``configmap/shop``, or another volume, at `MOUNT`.

        Args:
            name: its own, and its pods' label ``app``.
            command: what its container runs.
            replicas: how many pods.
            variables: its environment's, beside those that every pod here has.
            mount: more of the mount, such as ``subPath``.
            volume: its source, such as ``secret``; ``configmap/shop`` by default.
            container: more of the container, such as ``livenessProbe``.
        """
        environment = {
            "PATH": PATH,
            "PYTHONPATH": os.pathsep.join([str(PROGRAMS), PACKAGE]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "K8S_MOUNTS_FOR_DYNACONF": json.dumps([MOUNT]),
            **(variables or {}),
        }
        spec = {
            # One node, this machine, without a network of its own for pods.
            "hostNetwork": True,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            "tolerations": [{"operator": "Exists"}],
            "volumes": [
                {"name": "config", **(volume or {"configMap": {"name": "shop"}})},
                *({"name": f"host-{n}", "hostPath": {"path": p}} for n, p in enumerate(HOST)),
            ],
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": list(command),
                    "env": [{"name": key, "value": text} for key, text in environment.items()],
                    "volumeMounts": [
                        {"name": "config", "mountPath": MOUNT, **(mount or {})},
                        *(
                            {"name": f"host-{n}", "mountPath": p, "readOnly": True}
                            for n, p in enumerate(HOST)
                        ),
                    ],
                    **container,
                }
            ],
        }
        self.create(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": name}},
                    "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
                },
            }
        )

    def pods(self) -> list[Any]:
        """Give the pods that are not being deleted."""
        with api() as made:
            found = client.CoreV1Api(made).list_namespaced_pod(self.name).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def wait_for(self, **ready: int) -> None:
        """Wait until so many pods of each Deployment are ready."""

        def counts() -> dict[str, int]:
            found = dict.fromkeys(ready, 0)
            for pod in self.pods():
                if pod.metadata.labels["app"] in found:
                    states = pod.status.container_statuses
                    found[pod.metadata.labels["app"]] += bool(states and states[0].ready)
            return found

        eventually(lambda: counts() == ready, PATIENCE, lambda: f"{counts()}; {self.told()}")

    def told(self) -> str:
        """Say how the pods are, and what they have written."""
        lines = []
        with api() as made:
            for pod in self.pods():
                name = pod.metadata.name
                states = [each.state for each in pod.status.container_statuses or ()]
                try:
                    log = client.CoreV1Api(made).read_namespaced_pod_log(name, self.name)
                except client.ApiException as error:
                    log = str(error.reason)
                lines.append(f"{name}: {states}\n{log[-1000:]}")
        return "\n".join(lines)

    def rollout(self, *arguments: object, **variables: str) -> Done:
        """Run ``dynaconf-k8s-reload rollout`` in this namespace."""
        return run_process("rollout", *arguments, "-n", self.name, environ=variables)

    def rows(self, *arguments: object, **variables: str) -> tuple[int, dict[str, list[Json]]]:
        """Run it; give its exit status and the rows of each Deployment."""
        done = self.rollout(*arguments, "--json", **variables)
        assert done.status in (0, 1), done.err + self.told()
        found: dict[str, list[Json]] = {}
        for row in json.loads(done.out):
            found.setdefault(row["pod"].rsplit("-", 2)[0], []).append(row)
        return done.status, found


def config_map(name: str, **data: object) -> Json:
    """Make a ConfigMap's manifest."""
    texts = {key: each if isinstance(each, str) else json.dumps(each) for key, each in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": texts,
    }


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace, and delete it with all that is in it."""
    name = f"rollout-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as scratch, api() as made:
        core, apps = client.CoreV1Api(made), client.AppsV1Api(made)
        core.create_namespace({"metadata": {"name": name}})
        try:
            yield Namespace(name, Path(scratch))
        finally:
            # A cluster need not have the controller that would do this for a namespace.
            apps.delete_collection_namespaced_deployment(name, propagation_policy="Foreground")
            eventually(lambda: not core.list_namespaced_pod(name).items, PATIENCE)
            core.delete_collection_namespaced_config_map(name)
            core.delete_namespace(name)
