"""Reading the files of a mount, and nothing outside of it, whoever puts links there meanwhile.

Each part of a path is opened relative to the directory before it, and none is followed that has
become a link since the path was found (``openat2`` with ``RESOLVE_NO_SYMLINKS`` would do so in one
call, which Python lacks).
"""

from __future__ import annotations

import os

MAX_FILE_BYTES = 1024 * 1024  # all of a ConfigMap is at most 1 MiB
USUAL_FILE_BYTES = 16 * 1024
NOT_FOLLOWED = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
# With O_PATH, which is Linux's, a directory that may be entered need not be readable.
A_DIRECTORY = NOT_FOLLOWED | os.O_DIRECTORY | getattr(os, "O_PATH", 0)
A_FILE = NOT_FOLLOWED | os.O_NONBLOCK  # never waits for a FIFO


class Files:
    """The files of one mount, while they are read. It is a context manager.

    One directory is held open at a time: files are read in the order of their paths.

    Args:
        root: the mount's directory, links resolved.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._folder = ""
        self._descriptor = -1

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def read(self, path: str) -> bytes:
        """Read a file, as far as is needed to tell that it is larger than `MAX_FILE_BYTES`.

        Args:
            path: where it was found in the mount, links resolved.

        Raises:
            OSError: it cannot be read; ``ELOOP`` or ``ENOTDIR`` if a link has come into its way.
        """
        folder, _, name = path.rpartition(os.sep)
        if folder != self._folder:
            self._enter(folder)
        # Three system calls: at each the interpreter lock may go to a busy thread for 5 ms.
        descriptor = os.open(name, A_FILE, dir_fd=self._descriptor)
        try:
            content = os.read(descriptor, USUAL_FILE_BYTES)
            while USUAL_FILE_BYTES <= len(content) <= MAX_FILE_BYTES:
                more = os.read(descriptor, MAX_FILE_BYTES)
                if not more:
                    break
                content += more
        finally:
            os.close(descriptor)
        return content

    def _enter(self, folder: str) -> None:
        self._leave()
        self._descriptor = os.open(self._root, A_DIRECTORY)
        for name in os.path.relpath(folder or os.sep, self._root).split(os.sep):
            above = self._descriptor
            self._descriptor = os.open(name, A_DIRECTORY, dir_fd=above)
            os.close(above)
        self._folder = folder

    def _leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._folder, self._descriptor = "", -1
