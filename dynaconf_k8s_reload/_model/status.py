"""What a reloader says of itself. No value of a setting is in it, so that a probe may show it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from .changes import Changes
from .errors import ReloadRejected

Watching = Literal["events", "polling", "off"]


@dataclass(frozen=True)
class ReloadResult:
    """What one reload did.

    Attributes:
        outcome: ``"applied"``, ``"unchanged"`` or ``"rejected"``.
        generation: the generation that serves after it.
        changes: what it changed; empty unless it was applied.
        error: why it was rejected, else ``None``.
        seconds: how long it took.
    """

    outcome: Literal["applied", "unchanged", "rejected"]
    generation: int
    changes: Changes
    error: ReloadRejected | None
    seconds: float


@dataclass(frozen=True)
class MountStatus:
    """What is known of one mount.

    Attributes:
        path: the mount's directory.
        present: the directory was there when it was last read.
        generation_dir: what ``..data`` named; ``None`` for a plain directory.
        keys: how many keys it provides.
        watching: ``"events"``, ``"polling"`` or ``"off"``.
        problem: what is wrong with it, or ``None``.
        revision: a hash of its content, which a tool can make of a manifest, too.
    """

    path: str
    present: bool
    generation_dir: str | None
    keys: int
    watching: Watching
    problem: str | None
    revision: str = ""


@dataclass(frozen=True)
class Status:
    """What a reloader is doing and has done.

    Attributes:
        generation: 1 after the first load, one more with each update that was applied.
        revision: a hash of the content; equal in every process that serves the same content.
        mounts: one entry for each mount.
        watching: ``"events"``, ``"polling"`` (no working inotify) or ``"off"``.
        applied_at: when this generation was published.
        checked_at: when the watch last compared the mounts; ``None`` without a watch.
        rejected: how many updates have been refused.
        last_error: why the last update was refused; ``None`` once the process serves what the
            mounts hold.
        restart_required: changed keys that take effect with a restart only.
        lag: seconds from the writer's commit to publication; ``None`` for the first load.
        skipped: variable name to the reason why it is not mirrored.
        healthy: the watch of this process is on, or off by choice; it has looked within twice the
            resync and 5 s; no reload has been under way for more than 30 s. A rejected update and
            an absent mount leave it true, since a restart would mend neither.
        problems: what is wrong, a sentence each, with its remedy: an absent mount, nothing to
            follow, a degraded watch, a reload that has been running for a long time.
        drifted: mirrored names whose variable is not the mount's text any more.
        busy_since: when the reload that is under way began; ``None`` if none is.
        pid: the process.
    """

    generation: int
    revision: str
    mounts: tuple[MountStatus, ...]
    watching: Watching
    applied_at: datetime | None
    checked_at: datetime | None
    rejected: int
    last_error: str | None
    restart_required: tuple[str, ...]
    lag: float | None
    skipped: Mapping[str, str]
    healthy: bool
    problems: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()
    busy_since: datetime | None = None
    pid: int = field(default_factory=os.getpid)

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601, everything else in plain types."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["mounts"] = [dict(vars(mount)) for mount in self.mounts]
        for name in ("restart_required", "problems", "drifted"):
            data[name] = list(data[name])
        data["skipped"] = dict(self.skipped)
        for name in ("applied_at", "checked_at", "busy_since"):
            data[name] = data[name] and data[name].isoformat()
        return data
