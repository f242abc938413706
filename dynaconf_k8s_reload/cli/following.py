"""Following mounts: what is new in each, read when the watch says so."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .._model.changes import Change
from .._model.errors import MountError
from .._model.mount import Mount
from .._model.options import Options
from .._source.fingerprint import Token
from .._source.reading import Reader, Snapshot
from .volumes import differences

__all__ = ["Followed", "Follower", "Seen"]


@dataclass(frozen=True)
class Seen:
    """What was found in one mount at one look: changes, or a problem.

    Attributes:
        mount: the mount.
        at: Unix time of the look.
        generation: what ``..data`` named.
        lag: seconds since the writer's commit.
        changes: what differs.
        problem: what is wrong now.
    """

    mount: Mount
    at: float
    generation: str | None = None
    lag: float | None = None
    changes: Sequence[Change] = ()
    problem: str | None = None


class Followed:
    """One mount, and what was read of it last."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.problem: str | None = None
        self._options = Options(k8s_mounts=(mount,))
        self._reader = Reader()
        self._snapshots: list[Snapshot] = []

    @property
    def token(self) -> Token:
        """What the directory was when it was last read; equal to nothing if it never could be."""
        return self._reader.seen[0] if self._reader.seen else Token(error="never read")

    @property
    def files(self) -> dict[str, bytes]:
        """All keys, with their content."""
        return {
            key: content
            for snapshot in self._snapshots
            for files in (snapshot.files, snapshot.settings_files)
            for key, content in files.items()
        }

    def look(self) -> Seen | None:
        """Read it; give what is new, None if nothing is. The first content is not."""
        is_first, before = not self._snapshots, self.files
        problem = None
        try:
            self._snapshots = self._reader.read(self._options, self._snapshots)
        except MountError as error:
            problem = str(error)
        now = time.time()
        if problem is None and not self._snapshots[0].present:
            problem = self._reader.problems.get(self.mount.path, "absent; it is waited for")
        if problem is not None:
            is_news, self.problem = problem != self.problem, problem
            return Seen(self.mount, now, problem=problem) if is_news else None
        self.problem = None
        changes = differences(before, self.files)
        if is_first or not changes:
            return None
        snapshot = self._snapshots[0]
        lag = None if snapshot.committed_at is None else max(0.0, now - snapshot.committed_at)
        return Seen(self.mount, now, snapshot.generation_dir, lag, changes)


class Follower:
    """Reads mounts when the watch says so, and leaves what is new for the main thread."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self.followed = [Followed(mount) for mount in mounts]
        self.news: queue.SimpleQueue[Seen] = queue.SimpleQueue()

    @property
    def seen(self) -> Sequence[Token]:
        """What the directories were when they were last read."""
        return [each.token for each in self.followed]

    def changed(self) -> None:
        """Look at all of them."""
        for each in self.followed:
            news = each.look()
            if news is not None:
                self.news.put(news)
