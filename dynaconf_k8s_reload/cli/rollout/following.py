"""A roll-out, step by step: who uses the resource, what they serve, what is still awaited."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ..._model.shown import counted
from ..screen import CannotRunError
from .uses import Files, Resource, Use, files_of, uses_of
from .verdict import NOBODY, Answer, State, Verdict, judge, rejections

ASKED_AT_ONCE = 16
ASK_EVERY = 1.0
REFUSED_SECONDS = 15.0  # after these a refusal from before the roll-out counts for this content
STARTING_SECONDS = 30.0  # a process that has just been started may not have loaded its settings
PENDING = (State.WAITING, State.UNHEALTHY, State.SILENT, State.DOWN)
UNDECIDED = (State.WAITING, State.REFUSED)  # with these a workload is not restarted

Show = Callable[[Sequence[Verdict]], object]
Write = Callable[[], Mapping[str, Any]]
Workload = tuple[str, str]


class Asked(Protocol):
    """What a roll-out needs of a cluster; see `Cluster`."""

    def read(self, resource: Resource) -> Mapping[str, Any] | None:
        """Give a ConfigMap or Secret as the API has it."""

    def pods(self, selector: str) -> list[Mapping[str, Any]]:
        """Give the pods."""

    def nudge(self, pod: str) -> None:
        """Have a kubelet synchronise a pod at once."""

    def ask(self, use: Use) -> Answer:
        """Give the status of a container's processes, or why nobody answers."""

    def owner(self, pod: Mapping[str, Any]) -> Workload | None:
        """Give what a pod is rolled with."""

    def restart(self, kind: str, name: str) -> None:
        """Begin to replace its pods."""

    def has_rolled(self, kind: str, name: str) -> bool:
        """Tell whether all of them are replaced."""


class Following:
    """Follows one ConfigMap or Secret to every process that has it mounted.

    Args:
        cluster: to ask.
        resource: the ConfigMap or Secret.
        selector: of the pods' labels; empty for all pods of the namespace.
        deadline: on the monotonic clock.
        show: called with the verdicts whenever they are known.

    Attributes:
        restarted: what has been restarted, as kind and name.
        rolling: those of them whose pods had not all been replaced when it ended.
    """

    def __init__(
        self,
        cluster: Asked,
        resource: Resource,
        *,
        selector: str = "",
        deadline: float = 0.0,
        show: Show = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._resource = resource
        self._selector = selector
        self._deadline = deadline
        self._show = show
        self.restarted: list[Workload] = []
        self.rolling: list[Workload] = []
        self._content: Files | None = None  # what it is about; None: whatever the cluster holds
        self._before: dict[tuple[str, ...], dict[int, int]] = {}
        self._older: set[str] | None = None
        self._seen: dict[Use, float] = {}
        self._settled: dict[Use, Verdict] = {}
        self._began = time.monotonic()

    def run(self, write: Write | None, *, restart: bool) -> list[Verdict]:
        """Do all of it.

        Args:
            write: changes the resource, and gives it as the API then has it; ``None`` if it is to
                stay as it is.
            restart: replace what only a restart brings to the content.

        Raises:
            CannotRunError: the API server refuses, or somebody else changed the resource meanwhile.
        """
        self._note()
        found = self._cluster.read(self._resource) if write is None else write()
        self._content = files_of(self._resource.kind, found or {})
        try:
            return self._arrive(restart=restart)
        except CannotRunError as error:
            if write is None:
                raise
            raise CannotRunError(f"{self._resource} is applied, but {error}") from None

    def _arrive(self, *, restart: bool) -> list[Verdict]:
        """Nudge the kubelets, and wait until the content is where it should be."""
        self._older = {use.uid for use in self._uses()}
        self.nudge()
        while True:
            self.rolling = [each for each in self.restarted if not self._cluster.has_rolled(*each)]
            verdicts = self.look()
            if restart and self._restart(verdicts):
                continue
            left = self._deadline - time.monotonic()
            is_awaited = self.rolling or any(each.state in PENDING for each in verdicts)
            if left <= 0 or not is_awaited:
                return verdicts
            time.sleep(min(ASK_EVERY, left))  # nothing tells when a process serves it

    def _note(self) -> None:
        """Note which updates were rejected before the roll-out began."""
        for use, answer in self._answers(self._uses()):
            self._before[_place(use)] = rejections(use, answer)

    def nudge(self) -> list[str]:
        """Have the kubelets of all pods that can follow synchronise them; give the pods' names."""
        pods = sorted({use.pod for use in self._uses() if not use.hindrance})
        with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
            list(threads.map(self._cluster.nudge, pods))
        return pods

    def look(self) -> list[Verdict]:
        """Ask every process once, except in containers of which nothing more is awaited."""
        if time.monotonic() - self._began > REFUSED_SECONDS:
            self._before = {}
        uses = self._uses()
        found = {use: self._settled[use] for use in uses if use in self._settled}
        for use, answer in self._answers([use for use in uses if use not in found]):
            found[use] = self._patient(judge(use, answer, self._before.get(_place(use), {})))
        self._settled = {use: each for use, each in found.items() if each.state not in PENDING}
        verdicts = [found[use] for use in uses]
        self._show(verdicts)
        return verdicts

    def _patient(self, verdict: Verdict) -> Verdict:
        """Give what a roll-out makes of a verdict, since it has seen what was there before.

        A pod that is newer has had the content since its start, even if it cannot follow. And a
        container in which nobody answers may just be starting, again and again if it crashes.
        """
        use, since = verdict.use, self._seen.setdefault(verdict.use, time.monotonic())
        if self._older is None or verdict.state is not State.FIXED:
            return verdict
        if use.hindrance and use.uid not in self._older:
            return Verdict(use, State.SERVED, f"since its start ({use.hindrance})")
        if use.hindrance or time.monotonic() - since > STARTING_SECONDS:
            return verdict
        if use.starts:
            return Verdict(
                use, State.DOWN, f"restarted {counted(use.starts, 'time')}; {NOBODY} yet"
            )
        return Verdict(use, State.WAITING, f"{NOBODY} yet")

    def _restart(self, verdicts: Sequence[Verdict]) -> bool:
        """Begin to replace, by its own strategy, what only a restart brings to this content.

        Tells whether it has begun anything. A workload in which a process has refused the content
        is left alone, since it would not come up; so is one in which a process may yet refuse it.
        """
        wanting = [v for v in verdicts if v.restart_required or v.state is State.FIXED]
        if not wanting:
            return False
        owners = {
            pod["metadata"]["name"]: self._cluster.owner(pod)
            for pod in self._cluster.pods(self._selector)
        }
        undecided = {owners.get(v.use.pod) for v in verdicts if v.state in UNDECIDED}
        chosen = {owner for v in wanting if (owner := owners.get(v.use.pod)) is not None}
        begun = sorted(chosen - undecided - {*self.restarted})
        for kind, name in begun:
            self._cluster.restart(kind, name)
        self.restarted = sorted([*self.restarted, *begun])
        return bool(begun)

    def _uses(self) -> list[Use]:
        contents: dict[Resource, Files | None] = {}

        def content(resource: Resource) -> Files | None:
            if resource not in contents:
                read = self._cluster.read(resource)
                contents[resource] = None if read is None else files_of(resource.kind, read)
            return contents[resource]

        found = self._cluster.read(self._resource) or {}
        immutable = bool(found.get("immutable"))
        contents[self._resource] = files_of(self._resource.kind, found)
        if self._content is not None and contents[self._resource] != self._content:
            raise CannotRunError(
                f"somebody else has changed or deleted {self._resource} since; look at it, and "
                "roll out again"
            )
        return [
            use
            for pod in self._cluster.pods(self._selector)
            for use in uses_of(self._resource, pod, content, immutable=immutable)
        ]

    def _answers(self, uses: Sequence[Use]) -> list[tuple[Use, Answer]]:
        """Ask each container once, however many directories of it are looked at."""
        places = {(use.pod, use.container): use for use in uses if not use.down}
        with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
            answers = threads.map(self._cluster.ask, places.values())
            found = dict(zip(places, answers, strict=True))
        return [(use, found.get((use.pod, use.container), Answer())) for use in uses]


def _place(use: Use) -> tuple[str, ...]:
    """Tell containers apart: each has processes of its own, which may have the same numbers."""
    return use.uid, use.pod, use.container, use.path
