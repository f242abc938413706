"""``watch``: each change of a mount as it comes."""

from __future__ import annotations

import json
import queue
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import click

from .._model.changes import Change
from .._model.errors import MountError
from .._model.mount import Mount
from .._model.options import Options
from .._model.shown import counted
from .._source.fingerprint import Token
from .._source.reader import Reader
from .._source.snapshot import Snapshot
from .._watch import WATCHER, Watch
from .changes import print_changes
from .mounts import (
    differences,
    directories_argument,
    json_of,
    mounts_of,
    secret_option,
    values_option,
)
from .screen import (
    console,
    example,
    printable,
    quoted,
    say,
    until_ended,
    verbose_option,
)

SIGNS = {"added": "+", "modified": "~", "removed": "-"}


@click.command(
    epilog=example(
        "dynaconf-k8s-reload watch --values /config",
        "dynaconf-k8s-reload watch --json /config | jq .lag",
    )
)
@directories_argument
@secret_option
@values_option
@verbose_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each change.")
def watch(
    directories: Sequence[str],
    secrets: Sequence[str],
    *,
    values: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Print each change of DIR as it comes, until Ctrl-C.

    Each comes with its keys, and with the delay from the writer's commit to its
    arrival here. More than 50 changes at once are summed up. It waits for a DIR
    that is absent.

    Exit code: 0 after Ctrl-C, 2 if it could not run.
    """
    mounts = mounts_of(directories, secrets)
    if not mounts:
        raise click.UsageError("Give at least one directory, such as /config.")
    follower = Follower(mounts)
    follower.changed()
    options = Options()
    watching = Watch(
        [mount.path for mount in mounts],
        weakref.ref(follower),
        options.k8s_resync,
        options.k8s_debounce,
    )
    WATCHER.add(watching)
    until_ended(lambda: _follow(follower, values=values, verbose=verbose, as_json=as_json))
    WATCHER.remove(watching, wait=2.0)


def _follow(follower: Follower, *, values: bool, verbose: bool, as_json: bool) -> None:
    err = console(stderr=True)
    for each in follower.followed:
        held = counted(len(each.files), "key")
        say(err, f"Watching {printable(each.mount.path)}, {held}; Ctrl-C ends it.")
    while True:
        seen = follower.news.get()
        shown = values and not seen.mount.secret
        if as_json:
            click.echo(json.dumps(_as_dict(seen, values=shown)))
        else:
            _print(seen, values=shown, verbose=verbose)


def _print(seen: Seen, *, values: bool, verbose: bool) -> None:
    out = console()
    line = f"{datetime.fromtimestamp(seen.at):%H:%M:%S}  {printable(seen.mount.path)}"  # noqa: DTZ006 -- because a person reads the local time
    if seen.problem is not None:
        say(out, f"{line}: {seen.problem}", "red")
        return
    delay = "" if seen.lag is None else f", {seen.lag:.3f} s after its commit"
    say(out, f"{line}: {counted(len(seen.changes), 'change')}{delay}")

    def told(change: Change) -> str:
        text = f"  {SIGNS[change.kind]} {printable(change.key)}"
        if not values:
            return text
        shown = [quoted(value) for value in (change.old, change.new) if value is not None]
        return f"{text}  {' -> '.join(shown)}"

    print_changes(out, seen.changes, told, verbose=verbose)


def _as_dict(seen: Seen, *, values: bool) -> dict[str, Any]:
    return {
        "time": datetime.fromtimestamp(seen.at, timezone.utc).isoformat(),
        "mount": seen.mount.path,
        "generation": seen.generation,
        "lag": seen.lag,
        "problem": seen.problem,
        "changes": [
            {"key": change.key, "kind": change.kind}
            | ({"old": json_of(change.old), "new": json_of(change.new)} if values else {})
            for change in seen.changes
        ],
    }


@dataclass(frozen=True)
class Seen:
    """What one look at a mount found: changes, or a problem.

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
        """The directory's state at the last read; equal to no other if it was never read."""
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
        """Read it, and give what is new, or None; the first content is not news."""
        is_first, before = not self._snapshots, self.files
        problem = None
        try:
            self._snapshots = self._reader.read(self._options, self._snapshots)
        except MountError as error:
            problem = str(error).removeprefix(f"mount {self.mount.path}: ")  # which is told anyway
        now = time.time()
        if problem is None and not self._snapshots[0].present:
            problem = self._reader.problems.get(self.mount.path, "absent; waiting for it")
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
        self.followed: list[Followed] = [Followed(mount) for mount in mounts]
        self.news: queue.SimpleQueue[Seen] = queue.SimpleQueue()

    @property
    def seen(self) -> Sequence[Token]:
        """The directories' states at the last read."""
        return [each.token for each in self.followed]

    @property
    def files(self) -> None:
        """Nothing outside the mounts is followed."""

    def looked(self) -> None:
        """Nothing is to be told of a look that found nothing."""

    def changed(self) -> None:
        """Look at every mount."""
        for each in self.followed:
            news = each.look()
            if news is not None:
                self.news.put(news)
