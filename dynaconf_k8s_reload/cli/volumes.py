"""What a volume of one or several manifests holds, and how two contents of it differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._model.changes import Change
from .limits import wrong_paths
from .manifests import Manifest, ManifestError

__all__ = ["differences", "project"]


def project(manifests: Sequence[Manifest], items: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """Lay manifests into one volume; of a key that several have, the last one's content counts.

    Args:
        manifests: what the volume is made of.
        items: keys and the paths to put them at; if there is one, other keys are left out.

    Raises:
        ManifestError: a path is not allowed, or a key is not there.
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


def differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Change]:
    """Compare two contents of a volume by key; unlike those of settings, names differ by case."""
    changes = []
    for key in sorted({*old, *new}):
        if key not in new:
            changes.append(Change(key, old[key], None, "removed"))
        elif key not in old:
            changes.append(Change(key, None, new[key], "added"))
        elif old[key] != new[key]:
            changes.append(Change(key, old[key], new[key], "modified"))
    return changes
