"""For tests: `AtomicWriter` writes a volume as the kubelet does; `wait_for_generation` waits.

The facts come from Kubernetes, ``pkg/volume/util/atomic_writer.go``, and from recordings of the
file system events that it causes in the releases 1.20 and 1.32; the tests of this module replay
those recordings.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ._source import volume

if TYPE_CHECKING:
    from ._model.status import Status

__all__ = ["AtomicWriter", "wait_for_generation"]

_LOOK_EVERY = 0.005


class AtomicWriter:
    """Writes payloads into a directory as the kubelet does for a ConfigMap or Secret volume.

    The files lie in a time-stamped directory, the link ``..data`` points to that directory, and
    each top-level name is a link into ``..data``. Renaming a new ``..data`` over the old one
    publishes a payload, all at once.

    As with the kubelet's own, a volume has one writer at a time; any number may read the files
    meanwhile. Killed at any moment, it leaves the old payload or the new one, and the next write
    removes what it left behind. It touches nothing that a kubelet would not have made, and nothing
    outside the volume. Nothing is flushed to the disk, so that a test can afford thousands of
    updates.

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
        self.directory: Path = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._links_first = order == "1.20"

    @property
    def payload(self) -> dict[str, bytes]:
        """What the volume holds now, by key, read from the disk through ``..data``.

        Raises:
            ValueError: ``..data`` does not lead to a directory ``..…`` right inside the volume.
        """
        present = self._present()
        return {key: content for key, content in present.items() if content is not None}

    def write(self, payload: Mapping[str, str | bytes], mode: int = 0o644) -> bool:
        """Make `payload` the whole content of the volume, and tell whether anything was written.

        Only content is compared: without a difference no file is touched, whatever the mode, and
        only links that are missing are made. An empty payload leaves ``..data`` and an empty
        directory. A volume that was deleted meanwhile is made again.

        Args:
            payload: content by key, text being written as UTF-8; ``sub/x`` is the file ``x`` in the
                directory ``sub``, as ``items:`` of a volume can ask for.
            mode: permissions of the files, whatever the umask.

        Raises:
            TypeError: a value is neither text nor bytes, as a manifest's must be.
            ValueError: Kubernetes does not allow a key, or one is both a file and a directory; or
                ``..data`` or the name of a key is something that a kubelet would not have made.
                The volume is then as it was.
            OSError: the file system refuses; the volume holds the old payload or the new one.
        """
        files = {key: _content(key, value) for key, value in payload.items()}
        volume.check_keys(files)
        self.directory.mkdir(parents=True, exist_ok=True)
        directory, names = str(self.directory), volume.top_level(files)
        old = volume.generation(directory)
        volume.check_names(directory, names)
        differs = old is None or files != self._present()
        try:
            if differs:
                self._replace(files, names, mode)
            self._link(names)
        finally:  # also after Ctrl-C, or when the disk is full
            volume.remove_leftovers(directory, old)
        return differs

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

    def _present(self) -> dict[str, bytes | None]:
        if volume.generation(str(self.directory)) is None:
            return {}
        return volume.files_below(self._path("..data"))

    def _replace(self, files: Mapping[str, bytes], names: Iterable[str], mode: int) -> None:
        # Not `random`: a test run that seeds it could make the same name twice within a second.
        name = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime()) + str(secrets.randbits(32))
        self._make_directory(name, files, mode)
        if self._links_first:
            self._link(names)
        self._publish(name)

    def _make_directory(self, name: str, files: Mapping[str, bytes], mode: int) -> None:
        root = self._path(name)
        os.mkdir(root, 0o700)
        # A step of its own, so that the umask has no say; a watch sees it as an attribute event.
        os.chmod(root, 0o755)  # noqa: S103 -- because a container may run as any user
        for folder in sorted(volume.folders(files)):
            os.mkdir(os.path.join(root, folder))
        for key, content in files.items():
            path = os.path.join(root, key)
            with open(path, "xb") as file:
                file.write(content)
            os.chmod(path, mode)

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
    # Not at the top: whoever only writes a volume needs no dynaconf.
    from ._model.clock import monotonic  # noqa: PLC0415 -- because of the line above
    from ._model.errors import ReloadRejected  # noqa: PLC0415 -- because of the line above
    from ._reload.finding import get_reloader  # noqa: PLC0415 -- because of the line above
    from ._source.fingerprint import token  # noqa: PLC0415 -- because of the line above

    reloader = get_reloader(settings)
    give_up = monotonic() + timeout
    while (left := give_up - monotonic()) > 0:
        if reloader.lock.acquire(timeout=left):  # what has been read is then served or refused
            try:
                status = reloader.status()
                if reloader.following.seen == tuple(token(mount.path) for mount in status.mounts):
                    if status.last_error is None:
                        return status
                    raise ReloadRejected(status.last_error)
            finally:
                reloader.lock.release()
            time.sleep(_LOOK_EVERY)  # a watch tells nobody that it has looked
    status = reloader.status()
    raise TimeoutError(
        f"what the mounts hold is not served after {timeout:g} s; generation {status.generation} "
        f"is, the watch is {status.watching!r}, and the last error is: {status.last_error}"
    )


def _content(key: str, value: object) -> bytes:
    """Give the bytes of a file."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    kind = type(value).__name__
    raise TypeError(f"{key} is of type {kind}; a ConfigMap holds text: write it in quotes")
