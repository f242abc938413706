"""For tests: `AtomicWriter` writes a volume as the kubelet does; `wait_for_generation` waits.

The facts come from Kubernetes, ``pkg/volume/util/atomic_writer.go``, and from recordings of the
file system events that it causes in the releases 1.20 and 1.32; the tests of this module replay
those recordings.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ._model.status import Status

__all__ = ["AtomicWriter", "wait_for_generation"]

_LOOK_EVERY = 0.005
_SEGMENT = re.compile(r"(?!\.(\.|$))[-._a-zA-Z0-9]{1,253}")


class AtomicWriter:
    """Writes payloads into a directory as the kubelet does for a ConfigMap or Secret volume.

    The files lie in a time-stamped directory, the link ``..data`` points to that directory, and
    each top-level name is a link into ``..data``. Renaming a new ``..data`` over the old one
    publishes a payload, all at once.

    Like the kubelet's own, a writer is not for several threads at once; any number may read the
    files meanwhile. Nothing is flushed to the disk, so that a test can afford thousands of updates.

    Attributes:
        directory: the volume.
    """

    def __init__(
        self, directory: str | os.PathLike[str], order: Literal["current", "1.20"] = "current"
    ) -> None:
        """Take `directory` as the volume, and make it where it is missing, parents included.

        ``order="current"`` creates the links of new names after publishing, as present releases of
        Kubernetes do; ``order="1.20"`` before it, as releases up to 1.20 did, so that a new link
        dangles for a moment.

        Raises:
            ValueError: `order` is neither.
            OSError: the directory cannot be made.
        """
        if order not in ("current", "1.20"):
            raise ValueError(f"order must be 'current' or '1.20', not {order!r}")
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._links_first = order == "1.20"

    @property
    def payload(self) -> dict[str, bytes]:
        """What the volume holds now, by key, read from the disk through ``..data``."""
        return _read(self._path("..data"))

    def write(self, payload: Mapping[str, str | bytes], mode: int = 0o644) -> bool:
        """Make `payload` the whole content of the volume, and tell whether anything was written.

        Only content is compared: without a difference nothing is touched, whatever the mode. An
        empty payload leaves ``..data`` and an empty directory. A volume that was deleted meanwhile
        is made again, and a ``..data_tmp`` that a killed writer left is replaced.

        Args:
            payload: content by key, text being written as UTF-8; ``sub/x`` is the file ``x`` in the
                directory ``sub``, as ``items:`` of a volume can ask for.
            mode: permissions of the files, whatever the umask.

        Raises:
            ValueError: Kubernetes does not allow a key, or one is both a file and a directory;
                the volume is then as it was.
            OSError: the file system refuses.
        """
        files = {
            key: value.encode() if isinstance(value, str) else value
            for key, value in payload.items()
        }
        _validate(files)
        self.directory.mkdir(parents=True, exist_ok=True)
        old = self._target()
        present = self.payload
        if old is not None and files == present:
            return False

        names = _top_level(files)
        new = self._make_directory(files, mode)
        if self._links_first:
            self._link(names)
        self._publish(new)
        if not self._links_first:
            self._link(names)
        self._unlink(_top_level(present) - names)
        if old is not None:
            # A test may have deleted it, as old releases of the kubelet themselves could.
            with suppress(FileNotFoundError):
                shutil.rmtree(self._path(old))
        return True

    def set(self, key: str, value: str | bytes) -> bool:
        """Add or change one key and keep the others; result and errors are those of `write`."""
        return self.write({**self.payload, key: value})

    def delete(self, key: str) -> None:
        """Remove one key and keep the others.

        Raises:
            KeyError: the volume does not hold `key`.
        """
        payload = self.payload
        del payload[key]
        self.write(payload)

    def _path(self, name: str) -> str:
        # Strings, not paths: they make an update about a tenth faster.
        return os.path.join(self.directory, name)

    def _target(self) -> str | None:
        try:
            return os.readlink(self._path("..data"))
        except FileNotFoundError:
            return None

    def _make_directory(self, files: Mapping[str, bytes], mode: int) -> str:
        # Not `random`: a test run that seeds it could make the same name twice within a second.
        name = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime()) + str(secrets.randbits(32))
        root = self._path(name)
        os.mkdir(root, 0o700)
        # A step of its own, so that the umask has no say; a watch sees it as an attribute event.
        os.chmod(root, 0o755)  # noqa: S103 - a container may run as any user
        for folder in sorted(_folders(files)):
            os.mkdir(os.path.join(root, folder))
        for key, content in files.items():
            path = os.path.join(root, key)
            with open(path, "xb", buffering=0) as file:
                file.write(content)
            os.chmod(path, mode)
        return name

    def _publish(self, name: str) -> None:
        link = self._path("..data_tmp")
        with suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(name, link)
        os.replace(link, self._path("..data"))

    def _link(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            if not os.path.lexists(self._path(name)):
                os.symlink(f"..data/{name}", self._path(name))

    def _unlink(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            with suppress(FileNotFoundError):
                os.unlink(self._path(name))


def wait_for_generation(settings: Any, timeout: float = 10.0) -> Status:
    """Wait until the settings are those of what their mounts hold now.

    Subscribers are called afterwards, in a thread of their own.

    Args:
        settings: a ``Dynaconf``, ``LazySettings`` or ``Settings`` object.
        timeout: seconds to wait at most.

    Returns:
        What is being served, such as its ``generation``.

    Raises:
        ReloadRejected: what the mounts hold was refused, so its generation will not come.
        TimeoutError: it did not come in time; the message has the generation and the last error.
        ConfigError: the settings do not use the loader.
    """
    __tracebackhide__ = True  # pytest shows the test's own line
    # Not above: who only writes a volume needs no dynaconf.
    from ._model.clock import monotonic  # noqa: PLC0415 -- because of the line above
    from ._model.errors import ReloadRejected  # noqa: PLC0415 -- because of the line above
    from ._reload.reloader import get_reloader  # noqa: PLC0415 -- because of the line above
    from ._source.fingerprint import token  # noqa: PLC0415 -- because of the line above

    reloader = get_reloader(settings)
    give_up = monotonic() + timeout
    while (left := give_up - monotonic()) > 0:
        if reloader.lock.acquire(timeout=left):  # what has been read is then served or refused
            try:
                status = reloader.status()
                if reloader.seen == tuple(token(mount.path) for mount in status.mounts):
                    if status.last_error is None:
                        return status
                    raise ReloadRejected(status.last_error)
            finally:
                reloader.lock.release()
            time.sleep(_LOOK_EVERY)
    status = reloader.status()
    raise TimeoutError(
        f"what the mounts hold is not served after {timeout:g} s; generation {status.generation} "
        f"is, the watch is {status.watching!r}, and the last error is: {status.last_error}"
    )


def _validate(keys: Collection[str]) -> None:
    for key in keys:
        if not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
            raise ValueError(
                f"{key!r} cannot be a key: each part of its path must be 1 to 253 characters of "
                "[-._a-zA-Z0-9], neither '.' nor starting with '..', and the path not absolute"
            )
    for key in _folders(keys).intersection(keys):
        raise ValueError(f"{key!r} cannot be a key: it is also the directory of another key")


def _folders(keys: Iterable[str]) -> set[str]:
    return {key[:end] for key in keys for end, character in enumerate(key) if character == "/"}


def _top_level(keys: Iterable[str]) -> set[str]:
    return {key.partition("/")[0] for key in keys}


def _read(root: str) -> dict[str, bytes]:
    content = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb", buffering=0) as file:
                content[path[len(root) + 1 :]] = file.read()
    return content
