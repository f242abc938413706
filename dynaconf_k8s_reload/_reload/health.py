"""What a reloader says of itself: `Status`, what is wrong, and how that is told in the log."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .. import _dynaconf
from .._model.published import HUNG_SECONDS
from .._model.status import MountStatus, Status
from .._source.reader import DEFAULT_MOUNT, GONE
from .._source.snapshot import Snapshot
from .._watch import Watch, Watcher
from .generations import Generations
from .notifier import Notifier

LATE_SECONDS = 5.0  # beyond twice the resync

NO_MOUNT = (
    f"no mount is followed: k8s_mounts names none, and {DEFAULT_MOUNT} is not a volume; mount the "
    f"ConfigMap at {DEFAULT_MOUNT}, or name its directory in k8s_mounts"
)


class Health:
    """Tells what a reloader does and how it is.

    Args:
        generations: what is being served.
        watcher: watches for it.
        notifier: tells its subscribers.
    """

    def __init__(self, generations: Generations, watcher: Watcher, notifier: Notifier) -> None:
        self._generations = generations
        self._watcher = watcher
        self._notifier = notifier
        self._present: dict[str, bool] = {}

    def status(self, watch: Watch | None) -> Status:
        """Put together what is known at this moment.

        Args:
            watch: the reloader's; ``None`` where it is off by choice.
        """
        generations = self._generations
        generation = _dynaconf.attached(generations.settings).generation
        payload = generation.payload
        mounts = tuple(self._mount(snapshot, watch) for snapshot in payload.snapshots)
        watching = self._watcher.mode(watch)
        return generations.history.status(
            revision=payload.revision,
            mounts=mounts,
            watching=watching,
            checked_at=watch.checked_at if watch is not None else None,
            skipped={name: why.value for name, why in generation.plan.decision.skipped.items()},
            problems=(*self._of_mounts(payload.snapshots), *self._of_watch(watch)),
            drifted=generations.drifted,
            busy_since=generations.progress.since,
            pid=os.getpid(),
            healthy=self._is_well(watch) and (watch is None or watching != "off"),
        )

    def tell_presence(self) -> None:
        """Log which mounts are absent, have vanished or are back, a line each."""
        generations = self._generations
        snapshots = generations.payload.snapshots
        if not snapshots and not self._present:
            generations.lines.once(NO_MOUNT)
        for snapshot in snapshots:
            path, present = snapshot.mount.path, snapshot.present
            before = self._present.get(path)
            self._present[path] = present
            if present and before is False:
                generations.lines.info("mount %s is there, and followed again", path)
            elif not present and before is not False:
                generations.lines.warning("%s", _absence(snapshot))

    @property
    def marks(self) -> tuple[object, ...]:
        """Differ once something has happened that the status tells."""
        return (*self._generations.history.marks, self._generations.progress.told)

    @property
    def busy_since(self) -> float | None:
        """When the reload that is under way began, in seconds of `clock.monotonic`."""
        return self._generations.progress.began

    def limit(self, watch: Watch) -> float:
        """Give the seconds within which a watch must have looked."""
        return 2 * watch.resync + LATE_SECONDS

    def _is_well(self, watch: Watch | None) -> bool:
        held_up = self._watcher.held_up() if watch is not None else None
        if max(self._generations.progress.seconds, held_up[1] if held_up else 0.0) > HUNG_SECONDS:
            return False
        return watch is None or watch.age <= self.limit(watch)

    def _of_mounts(self, snapshots: Sequence[Snapshot]) -> list[str]:
        if not snapshots:
            return [NO_MOUNT]
        return [problem for problem in map(self._of_mount, snapshots) if problem is not None]

    def _of_mount(self, snapshot: Snapshot) -> str | None:
        problem = self._generations.reader.problems.get(snapshot.mount.path)
        if problem in (None, GONE):
            return None if snapshot.present else _absence(snapshot)
        return problem

    def _of_watch(self, watch: Watch | None) -> list[str]:
        generations = self._generations
        problems = [generations.progress.problem]
        problems += [generations.history.falling_back, generations.keeping_problem]
        problems.append(self._notifier.problem)
        if watch is not None:
            problems.append(self._watcher.problem(watch))
            held_up = self._watcher.held_up()
            if not problems[0] and held_up is not None and held_up[1] > LATE_SECONDS:
                problems.append(
                    f"the watch has been held up for {held_up[1]:.0f} s by a reload of "
                    f"{', '.join(held_up[0].paths)}; look at what its settings object says"
                )
            missed = watch.missed
            if missed:
                problems.append(
                    f"{', '.join(missed)}: a change since the last comparison, {watch.age:.0f} s "
                    "ago, has not been noticed yet; ask again, and if it stays so restart the "
                    "process"
                )
            if watch.age > self.limit(watch):
                problems.append(
                    f"the mounts have not been compared for {watch.age:.0f} s; start() revives a "
                    "watch that has ended, a process that is stopped or starved needs a restart"
                )
        return [problem for problem in problems if problem]

    def _mount(self, snapshot: Snapshot, watch: Watch | None) -> MountStatus:
        path = snapshot.mount.path
        return MountStatus(
            path=path,
            present=snapshot.present,
            generation_dir=snapshot.generation_dir,
            revision=snapshot.revision,
            keys=len(snapshot.files),
            watching=self._watcher.mode(watch, path),
            problem=self._of_mount(snapshot),
        )


def _absence(snapshot: Snapshot) -> str:
    path = snapshot.mount.path
    if snapshot.files or snapshot.settings_files:
        return (
            f"mount {path} has vanished, and its last good content is kept; mount the ConfigMap "
            "there again"
        )
    return f"mount {path} is absent; mount the ConfigMap there, or take it out of k8s_mounts"
