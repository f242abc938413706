"""The content to be checked, laid out as volumes that stand for an application's mounts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._model.errors import K8sReloadError, MountError
from ..._model.mount import Mount
from ..._model.options import SUFFIX, Options
from ..._source.reader import DEFAULT_MOUNT, default_mounts
from ..._source.reading import read
from ...testing import AtomicWriter
from ..application import for_a_look, uses_loader

CONFIG_MAPS, SECRETS, ALL = "configmaps", "secrets", "all"
PROBE = "K8S_RELOAD_REHEARSAL"  # ends the name of a key that makes the same content new


@dataclass(frozen=True)
class Volume:
    """One volume of content.

    Attributes:
        path: where it has been laid out.
        origin: the directory that it is a copy of; for one made of manifests, `CONFIG_MAPS`,
            `SECRETS`, or both of them together, `ALL`.
        label: what a person calls it.
    """

    path: str
    origin: str
    label: str


class Places:
    """Which volume stands for which mount; a settings object is constructed with these in place.

    A directory that is one of the application's mounts stands for itself. Others stand for the
    remaining mounts in order; ConfigMaps for the first that is not secret, Secrets for the first
    that is, and where none is secret, both of them together for one.

    Args:
        volumes: the content.
        scratch: a directory for copies of mounts for which no content is given.

    Attributes:
        taken: by path, what stands for a mount.
        absent: the mounts for which no content is given, and that are not here.
        follows: at least one settings object has the loader in its list.
    """

    def __init__(self, volumes: Sequence[Volume], scratch: str) -> None:
        self._left = list(volumes)
        self._scratch = scratch
        self.taken: dict[str, Mount] = {}
        self.absent: list[str] = []
        self.follows: bool = False

    @property
    def unused(self) -> list[Volume]:
        """What stands for no mount."""
        parts = (CONFIG_MAPS, SECRETS)
        used_all = ALL not in {volume.origin for volume in self._left}
        return [
            volume
            for volume in self._left
            if volume.origin != ALL and not (used_all and volume.origin in parts)
        ]

    def prepare(self, module: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Give the arguments of a settings object with volumes in place of its mounts."""
        if not uses_loader(keywords):
            return module, keywords
        self.follows = True
        _, keywords = for_a_look(module, keywords)
        try:
            options = Options.read(keywords, os.environ, default_mounts())
        except K8sReloadError:  # it is about to be raised where the application is loaded
            return module, keywords
        stands_for_default = self._left or DEFAULT_MOUNT in self.taken
        mounts = options.k8s_mounts or ((Mount(DEFAULT_MOUNT),) if stands_for_default else ())
        placed = self._place(mounts)
        moved = {name: self._moved(name, value) for name, value in keywords.items()}
        moved = {name: value for name, value in moved.items() if name.lower() != "k8s_mounts"}
        return self._rebased(module), {**moved, "K8S_MOUNTS": placed}

    def named(self, text: str) -> str:
        """Write the mounts that the application has in place of the volumes that stand for them."""
        for path, mount in self.taken.items():
            text = text.replace(mount.path, path)
        return text

    def _place(self, mounts: Sequence[Mount]) -> list[Mount]:
        if not any(mount.secret for mount in mounts):
            self._left = [v for v in self._left if v.origin not in (CONFIG_MAPS, SECRETS)]
        else:
            self._left = [volume for volume in self._left if volume.origin != ALL]
        reals = {os.path.realpath(mount.path) for mount in mounts}
        return [self._stand_in(mount, reals) for mount in mounts]

    def _stand_in(self, mount: Mount, reals: set[str]) -> Mount:
        path, real = mount.path, os.path.realpath(mount.path)
        if path.startswith(self._scratch):  # a candidate is built with what we have put there
            return mount
        if path not in self.taken:
            fitting = [each for each in self._left if _may_stand_for(each, mount, real, reals)]
            volume = min(fitting, key=lambda each: each.origin != real, default=None)
            if volume is not None:
                self._left.remove(volume)
                self.taken[path] = _with_probe(mount, volume.path)
            elif os.path.isdir(path):
                copy = copied(path, f"{self._scratch}/{len(self.taken)}")
                self.taken[path] = _with_probe(mount, copy)
            else:
                self.absent.append(path)
                return mount
        return self.taken[path]

    def _moved(self, name: str, value: Any) -> Any:
        return self._rebased(value) if name.endswith(SUFFIX) else value

    def _rebased(self, value: Any) -> Any:
        """Let paths within a mount lead into the volume that stands for it."""
        if isinstance(value, (list, tuple)):
            return [self._rebased(item) for item in value]
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            for path, mount in self.taken.items():
                value = re.sub(rf"(?<![\w./-]){re.escape(path)}(?=/|[,;]|$)", mount.path, value)
        return value


def _with_probe(mount: Mount, path: str) -> Mount:
    """Give a mount at the volume that stands for it; whatever it includes, it takes the probe."""
    return replace(mount, path=path, include=(*mount.include, f"*{PROBE}"))


def _may_stand_for(volume: Volume, mount: Mount, real: str, reals: set[str]) -> bool:
    if volume.origin in (CONFIG_MAPS, SECRETS):
        return mount.secret == (volume.origin == SECRETS)
    return volume.origin == real or volume.origin not in reals


def laid_out(payload: Mapping[str, bytes], path: str) -> str:
    """Write content as a volume."""
    AtomicWriter(path).write(dict(payload))
    return path


def copied(directory: str, path: str) -> str:
    """Copy what a directory holds into a volume.

    Raises:
        MountError: it cannot be read, or has a name that no ConfigMap can have.
    """
    snapshot = read(Mount(os.path.abspath(directory)))
    try:
        return laid_out({**snapshot.files, **snapshot.settings_files}, path)
    except ValueError as error:
        raise MountError(str(error), mount=snapshot.mount.path) from None
