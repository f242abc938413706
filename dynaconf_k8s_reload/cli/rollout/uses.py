"""Which pods use a ConfigMap or Secret, where in them, and what they must then serve.

Pods are as the API gives them, in JSON; nothing here asks a cluster.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..._source.snapshot import revision_of

KINDS = {  # as kubectl takes them
    **dict.fromkeys(("configmap", "configmaps", "cm"), "ConfigMap"),
    **dict.fromkeys(("secret", "secrets"), "Secret"),
}
# Volume source, and the field that holds the name, by kind.
_SOURCES = {"ConfigMap": ("configMap", "name"), "Secret": ("secret", "secretName")}

Json = Mapping[str, Any]
Files = Mapping[str, bytes]


class Resource(NamedTuple):
    """A ConfigMap or Secret."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


class Page(NamedTuple):
    """What a probe of a container asks for, which may be its status page.

    Attributes:
        port: in the pod.
        path: with its query.
        headers: that the probe sends, such as a host that the application accepts.
    """

    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()


Contents = Callable[[Resource], "Files | None"]  # None: the cluster does not have it


class Use(NamedTuple):
    """A place where a container has the resource.

    Attributes:
        pod: the pod's name.
        node: where it runs.
        container: the container's name.
        path: the directory of the mount; empty where there is none.
        revision: what `MountStatus.revision` must be; ``None`` if the API cannot tell, since the
            volume also holds what the kubelet itself makes.
        hindrance: why it can never follow; empty if it can.
        down: why the container cannot be asked; empty while it runs.
        pages: what its probes ask for.
        uid: the pod's; a pod that replaces another may have its name.
        starts: how often the container has been started again.
    """

    pod: str
    node: str
    container: str
    path: str
    revision: str | None
    hindrance: str = ""
    down: str = ""
    pages: tuple[Page, ...] = ()
    uid: str = ""
    starts: int = 0


def files_of(kind: str, found: Json) -> Files:
    """Give the keys of a ConfigMap or Secret that the API has, and what they hold."""
    texts, encoded = found.get("data") or {}, found.get("binaryData") or {}
    if kind == "Secret":
        texts, encoded = {}, texts
    return {
        **{key: text.encode() for key, text in texts.items()},
        **{key: base64.b64decode(text) for key, text in encoded.items()},
    }


def uses_of(resource: Resource, pod: Json, contents: Contents, *, immutable: bool) -> list[Use]:
    """Give each place where a pod has a resource, one for each container and directory.

    Args:
        resource: the ConfigMap or Secret.
        pod: as the API gives it.
        contents: gives the files of any ConfigMap or Secret of the namespace.
        immutable: the resource is, so a pod sees no change until it is replaced.
    """
    spec, metadata, status = pod["spec"], pod["metadata"], pod.get("status", {})
    volumes = {v["name"]: v for v in spec.get("volumes", ()) if _holds(v, resource)}
    started = {
        each["name"]: each
        for kind in ("containerStatuses", "initContainerStatuses")
        for each in status.get(kind) or ()
    }
    found: list[Use] = []
    for container in _containers(spec):
        name = container["name"]
        here = Use(
            *(metadata["name"], spec.get("nodeName", ""), name, "", None),
            down=_down(started.get(name, {})),
            pages=pages_of(container),
            uid=metadata.get("uid", ""),
            starts=started.get(name, {}).get("restartCount", 0),
        )
        mounts = [m for m in container.get("volumeMounts", ()) if m["name"] in volumes]
        for mount in mounts:
            files = _files(volumes[mount["name"]], contents)
            revision = None if files is None else revision_of(files)
            hindrance = "immutable: replaced pods only" if immutable else ""
            if mount.get("subPath") or mount.get("subPathExpr"):
                hindrance = "subPath: the kubelet never updates it"
            path = mount["mountPath"].rstrip("/")
            found.append(here._replace(path=path, revision=revision, hindrance=hindrance))
        if not mounts and _is_variable(container, resource):
            hindrance = "variables only: nothing is mounted"
            found.append(here._replace(hindrance=hindrance))
    return found


def pages_of(container: Json) -> tuple[Page, ...]:
    """Give what a container's probes ask for by HTTP, each once."""
    ports = {port.get("name"): port["containerPort"] for port in container.get("ports") or ()}
    found = []
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        get = (container.get(probe) or {}).get("httpGet") or {}
        port = ports.get(get.get("port"), get.get("port"))
        if isinstance(port, int) and get.get("scheme", "HTTP") == "HTTP":
            headers = tuple((h["name"], h["value"]) for h in get.get("httpHeaders") or ())
            found.append(Page(port, get.get("path") or "/", headers))
    return tuple(dict.fromkeys(found))


def _containers(spec: Json) -> Iterator[Json]:
    """Give the containers that run as long as their pod does."""
    yield from spec["containers"]
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":  # a sidecar, since Kubernetes 1.28
            yield each


def _holds(volume: Json, resource: Resource) -> bool:
    return any(named == resource for named, _ in _named(volume))


def _named(volume: Json) -> Iterator[tuple[Resource, Json]]:
    """Give each ConfigMap and Secret in a volume, with how it is placed there."""
    for kind, (field, name) in _SOURCES.items():
        if field in volume:
            yield Resource(kind, volume[field].get(name, "")), volume[field]
        for source in volume.get("projected", {}).get("sources") or ():
            if field in source:
                yield Resource(kind, source[field]["name"]), source[field]


def _files(volume: Json, contents: Contents) -> Files | None:
    """Give what the kubelet writes for a volume, ``None`` where the API does not tell."""
    sources: Sequence[Json] = volume.get("projected", {}).get("sources") or ()
    if any(not {"configMap", "secret"}.intersection(source) for source in sources):
        return None
    files: dict[str, bytes] = {}
    for resource, source in _named(volume):
        content = contents(resource) or {}
        items = source.get("items")
        if items:
            files |= {i["path"]: content[i["key"]] for i in items if i["key"] in content}
        else:
            files |= content
    return files


def _is_variable(container: Json, resource: Resource) -> bool:
    """Tell whether a container has the resource, or a key of it, as variables."""
    ref, key_ref = f"{_SOURCES[resource.kind][0]}Ref", f"{_SOURCES[resource.kind][0]}KeyRef"
    named = [source.get(ref) for source in container.get("envFrom", ())]
    named += [each.get("valueFrom", {}).get(key_ref) for each in container.get("env", ())]
    return any(reference and reference.get("name") == resource.name for reference in named)


def _down(status: Json) -> str:
    state = status.get("state", {})
    if "running" in state:
        return ""
    waiting = state.get("waiting") or state.get("terminated") or {}
    return str(waiting.get("reason") or "not started")
