"""A volume made of ConfigMaps and Secrets, within Kubernetes' own limits and in its wording.

See ``k8s.io/apimachinery/pkg/util/validation`` and ``pkg/apis/core/validation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_BYTES = 1024 * 1024
MAX_NAME = 253

_KEY = r"[-._a-zA-Z0-9]+"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"


class ManifestError(Exception):
    """Kubernetes would refuse a manifest."""


@dataclass(frozen=True)
class Manifest:
    """One ConfigMap or Secret.

    Attributes:
        kind: ``"ConfigMap"`` or ``"Secret"``.
        name: its name.
        payload: content by key.
    """

    kind: str
    name: str
    payload: Mapping[str, bytes] = field(repr=False)

    @property
    def label(self) -> str:
        """How kubectl writes it, such as ``configmap/app``."""
        return f"{self.kind.lower()}/{self.name}"


def project(manifests: Sequence[Manifest], items: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """Lay manifests into one volume; of a key that several have, the last one counts.

    Args:
        manifests: what the volume is made of.
        items: keys and their paths; if there are any, all other keys are left out.

    Raises:
        ManifestError: a path is not allowed, or a key does not exist.
    """
    merged: dict[str, bytes] = {}
    for manifest in manifests:
        merged.update(manifest.payload)
    if not items:
        return merged
    wrong = wrong_paths(path for _, path in items)
    kinds = "/".join(sorted({manifest.kind.lower() for manifest in manifests}))
    wrong.extend(
        f"{kinds} references non-existent config key: {key}"
        for key, _ in items
        if key not in merged
    )
    if wrong:
        raise ManifestError("\n".join(wrong))
    return {path: merged[key] for key, path in items}


def wrong_key(key: str) -> list[str]:
    """Say what is wrong with a key."""
    wrong = _too_long(key)
    if not re.fullmatch(_KEY, key):
        wrong.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
            "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
            f"regex used for validation is '{_KEY}')"
        )
    if key in (".", ".."):
        wrong.append(f"must not be '{key}'")
    elif key.startswith(".."):
        wrong.append("must not start with '..'")
    return wrong


def wrong_name(name: str) -> list[str]:
    """Say what is wrong with the name of an object."""
    wrong = _too_long(name)
    if not re.fullmatch(_SUBDOMAIN, name):
        wrong.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character "
            f"(e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
        )
    return wrong


def wrong_paths(paths: Iterable[str]) -> list[str]:
    """Say what is wrong with the paths of a volume's items, each by itself and all together."""
    listed = list(paths)
    wrong = [f'path: Invalid value: "{path}": {what}' for path in listed for what in _wrong(path)]
    folders = {path[:end] for path in listed for end, sign in enumerate(path) if sign == "/"}
    wrong.extend(
        f'path: Invalid value: "{path}": it is also the directory of another path'
        for path in sorted(folders.intersection(listed))
    )
    return wrong


def _wrong(path: str) -> list[str]:
    parts = path.split("/")
    if path.startswith("/"):
        return ["must be a relative path"]
    if ".." in parts:
        return ["must not contain '..'"]
    if path.startswith(".."):
        return ["must not start with '..'"]
    for part in parts:
        if not re.fullmatch(_KEY, part) or len(part) > MAX_NAME or part == "." or part[:2] == "..":
            return [f"each part must be 1 to {MAX_NAME} characters of {_KEY[:-1]}, and no '.'"]
    return []


def _too_long(name: str) -> list[str]:
    return [f"must be no more than {MAX_NAME} characters"] if len(name) > MAX_NAME else []
