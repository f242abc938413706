"""What a roll-out asks of the API server; only this module and `containers` import the client."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from ..screen import CannotRunError
from .containers import ask, told
from .uses import Resource, Use
from .verdict import Answer

NUDGED = "dynaconf-k8s-reload/nudged-at"
RESTARTED = "kubectl.kubernetes.io/restartedAt"  # what `kubectl rollout restart` sets
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # what `kubectl apply` compares with
REQUEST_SECONDS = 30
NOT_FOUND = 404


class Cluster:
    """A namespace of the cluster that the kubeconfig, or the pod that this runs in, leads to.

    Args:
        namespace: the kubeconfig's own by default.
        context: of the kubeconfig; its current one by default.

    Raises:
        CannotRunError: there is no kubeconfig, or none with this context.
    """

    def __init__(self, namespace: str | None, context: str | None = None) -> None:
        own = _configure(context)
        self.namespace: str = namespace or own or "default"
        # The kubeconfig asks for it (insecure-skip-tls-verify), and kubectl does not warn either.
        disable_warnings(InsecureRequestWarning)
        self._core = client.CoreV1Api()
        self._apps = client.AppsV1Api()

    def read(self, resource: Resource) -> Mapping[str, Any] | None:
        """Give a ConfigMap or Secret as the API has it; ``None`` if it is not there."""
        read = _method(self._core, "read", resource)
        try:
            found: Mapping[str, Any] = self._json(read, resource.name)
        except _AbsentError:
            return None
        return found

    def write(
        self, resource: Resource, manifest: Mapping[str, Any], *, dry_run: bool
    ) -> Mapping[str, Any]:
        """Have the cluster hold what a manifest says, and nothing of its own beside it.

        Gives the object as the API then has it.
        """
        written: Mapping[str, Any]
        body, present = dict(manifest), self.read(resource)
        options = {"dry_run": "All"} if dry_run else {}
        if present is None:
            create = _method(self._core, "create", resource)
            written = self._json(create, body=body, **options)
            return written
        metadata = {**present["metadata"], **manifest["metadata"]}
        for name in ("labels", "annotations"):
            metadata[name] = {
                **(present["metadata"].get(name) or {}),
                **(manifest["metadata"].get(name) or {}),
            }
        if APPLIED in metadata["annotations"]:
            # Otherwise the next `kubectl apply` would keep the keys that it does not know of.
            metadata["annotations"][APPLIED] = json.dumps(manifest, default=str)
        metadata.pop("managedFields", None)
        body["metadata"] = metadata | {"namespace": self.namespace}
        replace = _method(self._core, "replace", resource)
        written = self._json(replace, resource.name, body=body, **options)
        return written

    def pods(self, selector: str) -> list[Mapping[str, Any]]:
        """Give the pods that run, or should."""
        found = self._json(self._core.list_namespaced_pod, label_selector=selector)
        return [
            pod
            for pod in found["items"]
            if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
            and not pod["metadata"].get("deletionTimestamp")
        ]

    def nudge(self, pod: str) -> None:
        """Annotate a pod, so that its kubelet synchronises it at once."""
        body = {"metadata": {"annotations": {NUDGED: _now()}}}
        with suppress(_AbsentError):  # it has gone meanwhile
            self._json(self._core.patch_namespaced_pod, pod, body=body)

    def ask(self, use: Use) -> Answer:
        """Give the status of every process of a container, or say why nobody answers."""
        return ask(use, self.namespace)

    def owner(self, pod: Mapping[str, Any]) -> tuple[str, str] | None:
        """Give kind and name of the workload that a pod belongs to.

        ``None`` if it belongs to none that can be restarted, or that has gone meanwhile.
        """
        kind, name = _controller(pod)
        if kind == "ReplicaSet":
            try:
                kind, name = _controller(self._json(self._apps.read_namespaced_replica_set, name))
            except _AbsentError:
                return None
        return (kind, name) if kind in ("Deployment", "StatefulSet", "DaemonSet") else None

    def restart(self, kind: str, name: str) -> None:
        """Begin what ``kubectl rollout restart`` begins."""
        metadata = {"annotations": {RESTARTED: _now()}}
        patch = _method(self._apps, "patch", Resource(kind, name))
        self._json(patch, name, body={"spec": {"template": {"metadata": metadata}}})

    def has_rolled(self, kind: str, name: str) -> bool:
        """Tell whether all pods of a Deployment, StatefulSet or DaemonSet are new and available."""
        found = self._json(_method(self._apps, "read", Resource(kind, name)), name)
        status = found.get("status", {})
        if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
            return False
        if kind == "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            counts = (status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
        else:
            wanted = found["spec"].get("replicas", 1)
            ready = "availableReplicas" if kind == "Deployment" else "readyReplicas"
            counts = (status.get("updatedReplicas", 0), status.get(ready, 0))
            if status.get("replicas", 0) != wanted:
                return False
        return all(count == wanted for count in counts)

    def _json(self, method: Any, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client, and give the answer as JSON.

        Raises:
            _AbsentError: there is no such object.
            CannotRunError: the API server cannot be reached, or refuses.
        """
        if method.__name__.partition("_")[0] in ("list", "create"):
            arguments = (self.namespace, *arguments)
        else:
            arguments = (arguments[0], self.namespace, *arguments[1:])
        with _explained():
            answer = method(
                *arguments, **options, _preload_content=False, _request_timeout=REQUEST_SECONDS
            )
            return json.loads(answer.data)


def _configure(context: str | None) -> str | None:
    """Have the client use the kubeconfig or the pod's own rights; give its own namespace."""
    # Named here, since the client looks at the variable when it is imported, and only then.
    file = os.environ.get("KUBECONFIG") or None
    try:
        config.load_kube_config(file, context=context)
        contexts, active = config.list_kube_config_contexts(file)
        named = [each for each in contexts if each["name"] == context] or [active]
        own: str | None = named[0]["context"].get("namespace")
    except (ConfigException, OSError):
        if context is not None:  # and no other cluster was asked for
            raise CannotRunError(
                f"no context {context} is configured; look at the kubeconfig, or name another in "
                "KUBECONFIG"
            ) from None
    except Exception as error:  # noqa: BLE001 -- because the client raises anything for a file of another kind
        raise CannotRunError(
            f"the kubeconfig cannot be read ({type(error).__name__}); name another in KUBECONFIG"
        ) from None
    else:
        return own
    try:
        config.load_incluster_config()
    except ConfigException:
        raise CannotRunError("no cluster is configured; name a kubeconfig in KUBECONFIG") from None
    return None


class _AbsentError(CannotRunError):
    """There is no such object, or no such namespace."""


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        kind = _AbsentError if error.status == NOT_FOUND else CannotRunError
        raise kind(f"the API server refuses: {told(error)}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CannotRunError(
            "what answers is not an API server: it sends no JSON; look at the kubeconfig"
        ) from None
    except (HTTPError, OSError) as error:
        raise CannotRunError(
            f"the API server cannot be reached ({type(error).__name__}); look at the kubeconfig"
        ) from None


def _method(api: Any, verb: str, resource: Resource) -> Any:
    noun = "".join(f"_{c.lower()}" if c.isupper() else c for c in resource.kind).lstrip("_")
    return getattr(api, f"{verb}_namespaced_{noun}")


def _controller(item: Mapping[str, Any]) -> tuple[str, str]:
    for owner in item["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner["kind"], owner["name"]
    return "", ""


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
