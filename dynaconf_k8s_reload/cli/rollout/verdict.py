"""What the processes of a container say of a mount, and whether that is what they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeGuard

from ..._model.shown import counted
from .uses import Use

# What is read of a status: all releases have it.
FIELDS = {
    *("pid", "generation", "mounts", "healthy", "problems"),
    *("last_error", "rejected", "lag", "restart_required"),
}
MOUNT_FIELDS = {"path", "revision"}
NOBODY = "no process follows this mount"

Statuses = Sequence[Mapping[str, Any]]


class State(Enum):
    """How far a container is; `following.PENDING` has those that are worth waiting for."""

    SERVED = "served"
    WAITING = "waiting"
    REFUSED = "refused"
    UNHEALTHY = "not healthy"
    UNKNOWN = "cannot be compared"
    SILENT = "cannot be asked"
    DOWN = "down"
    FIXED = "does not follow"


class Answer(NamedTuple):
    """What the processes of a container say.

    Attributes:
        statuses: of each settings object of each process that answered.
        silence: why nobody answered; empty if somebody did.
        by_page: a status page gave them, and does not tell which processes have not answered.
    """

    statuses: Statuses = ()
    silence: str = ""
    by_page: bool = False


class Verdict(NamedTuple):
    """What is known of one use.

    Attributes:
        use: the place.
        state: how far it is.
        reason: why, in a sentence that shows no value; empty if there is nothing to say.
        processes: how many serve settings from there.
        generation: the lowest that one of them serves.
        revision: what they serve; of several, all.
        lag: the longest time from the kubelet's commit to publication, in seconds.
        restart_required: changed settings that need a restart.
    """

    use: Use
    state: State
    reason: str = ""
    processes: int = 0
    generation: int | None = None
    revision: str = ""
    lag: float | None = None
    restart_required: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give it ready for JSON."""
        data = {**self._asdict(), **self.use._asdict(), "revision": self.revision}
        for inner in ("use", "hindrance", "down", "pages", "uid", "starts"):
            del data[inner]
        data["state"] = self.state.value
        data["expected"] = self.use.revision
        data["restart_required"] = list(self.restart_required)
        return data


def are_statuses(answer: Any) -> TypeGuard[Statuses]:
    """Tell whether an answer is a list of what ``status`` tells, of this release or a later one."""
    return isinstance(answer, list) and all(
        isinstance(status, dict)
        and status.keys() >= FIELDS
        and isinstance(status["mounts"], list)
        and all(isinstance(m, dict) and m.keys() >= MOUNT_FIELDS for m in status["mounts"])
        for status in answer
    )


def rejections(use: Use, answer: Answer) -> dict[int, int]:
    """Give how many updates of a mount each process has rejected so far."""
    found: dict[int, int] = {}
    for status in _followers(use, answer):
        found[status["pid"]] = max(status["rejected"], found.get(status["pid"], 0))
    return found


def judge(use: Use, answer: Answer, rejected_before: Mapping[int, int]) -> Verdict:
    """Compare what a container's processes say with what they should serve.

    Args:
        use: the place, and what belongs there.
        answer: what the container's processes say.
        rejected_before: what `rejections` gave when the roll-out began; a process that has
            rejected nothing since may still speak of an earlier content.
    """
    if use.down:
        return Verdict(use, State.DOWN, use.down)
    if answer.silence:
        state = State.FIXED if use.hindrance else State.SILENT
        return Verdict(use, state, use.hindrance or answer.silence)
    follow = _followers(use, answer)
    if not follow:
        return Verdict(use, State.FIXED, use.hindrance or _nobody(use, answer))
    revisions = _revisions(use, follow)
    state, reason = _state(use, follow, revisions, rejected_before)
    if answer.by_page and state is State.SERVED:
        reason = "by its status page, which tells of the workers that answered"
    return Verdict(
        use,
        state,
        reason,
        processes=len({s["pid"] for s in follow}),
        generation=min(s["generation"] for s in follow),
        revision=", ".join(sorted(revisions)),
        lag=max((s["lag"] for s in follow if s["lag"] is not None), default=None),
        restart_required=tuple(sorted({key for s in follow for key in s["restart_required"]})),
    )


def _followers(use: Use, answer: Answer) -> Statuses:
    """Give the statuses of those that have this mount."""
    return [s for s in answer.statuses if any(m["path"] == use.path for m in s["mounts"])]


def _revisions(use: Use, statuses: Statuses) -> set[str]:
    """Give what these processes serve of this mount."""
    return {m["revision"] for s in statuses for m in s["mounts"] if m["path"] == use.path}


def _state(
    use: Use, follow: Statuses, revisions: set[str], rejected_before: Mapping[int, int]
) -> tuple[State, str]:
    if use.hindrance:
        return State.FIXED, use.hindrance
    for status in follow:
        if not status["healthy"]:
            return State.UNHEALTHY, next(iter(status["problems"]), "its watch does not work")
    refused = [status for status in follow if status["last_error"] is not None]
    for status in refused:
        if status["rejected"] > rejected_before.get(status["pid"], -1):
            return State.REFUSED, status["last_error"]
    if use.revision is None:
        return State.UNKNOWN, "the volume also holds what the kubelet makes"
    if revisions == {use.revision} and not refused:
        return State.SERVED, ""
    return State.WAITING, _holds_up(use, follow)


def _nobody(use: Use, answer: Answer) -> str:
    """Say that no process follows a mount, and what those follow that answered."""
    others = sorted({mount["path"] for status in answer.statuses for mount in status["mounts"]})
    if not others:
        return f"restarted {counted(use.starts, 'time')}; {NOBODY}" if use.starts else NOBODY
    return f"{NOBODY}, {use.path}, but {', '.join(others)}; correct mountPath or k8s_mounts"


def _holds_up(use: Use, follow: Statuses) -> str:
    """Say what keeps a process that does not serve it yet; empty if that is the kubelet."""
    behind = [status for status in follow if _revisions(use, [status]) != {use.revision}]
    for status in behind:
        if status["problems"]:
            return str(status["problems"][0])
    if any(status.get("watching") == "off" for status in behind):
        return "its watch is off, so it follows when it calls reload()"
    return ""
