"""A fleet on paper: when a change of one ConfigMap arrives, and what that asks of the API server.

A model, not a measurement: kubelets synchronise each pod every 60 s, made longer by up to half of
it (Kubernetes, pkg/kubelet/pod_workers.go), and learn of the change by a watch or, in the strategy
Cache, at the first synchronisation after what they have is a minute old
(pkg/kubelet/util/manager/cache_based_manager.go). A pod that is annotated is synchronised at once,
with a fresh copy. It always prints the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from statistics import fmean

SYNC = 60.0
TTL = 60.0
PODS_A_NODE = 30
PROCESSES = 4  # of a pod
ANNOTATE = 0.02  # seconds that the API server takes for one; sixteen at a time
SYNCED = 1.0  # seconds that a kubelet takes once it is told, at most
EXEC = 0.25
AT_ONCE = 16
FLEETS = (10, 1_000, 100_000)
ENOUGH = 10_000  # pods: of smaller fleets so many are averaged
SHARES = (0.5, 0.99, 1.0)


def interval(chance: random.Random) -> float:
    """Give the time between two synchronisations of a pod."""
    return SYNC * (1 + 0.5 * chance.random())


def by_watch(pods: int, chance: random.Random) -> list[float]:
    """Give each pod's delay where kubelets watch: until its next synchronisation."""
    return [chance.random() * interval(chance) for _ in range(pods)]


def by_cache(pods: int, chance: random.Random) -> list[float]:
    """Give each pod's delay where kubelets keep a copy for a minute, one for all their pods."""
    delays: list[float] = []
    for first in range(0, pods, PODS_A_NODE):
        syncs = sorted(_syncs(min(PODS_A_NODE, pods - first), chance))
        fetched = -TTL * chance.random()
        arrived: dict[int, float] = {}
        for at, pod in syncs:
            if at - fetched > TTL:
                fetched = at
            if fetched >= 0:
                arrived.setdefault(pod, at)
        delays += arrived.values()
    return delays


def _syncs(pods: int, chance: random.Random) -> Iterator[tuple[float, int]]:
    for pod in range(pods):
        at = chance.random() * interval(chance)
        while at < TTL + 3 * SYNC:
            yield at, pod
            at += interval(chance)


def nudged(pods: int, chance: random.Random) -> list[float]:
    """Give each pod's delay where `rollout` annotates them, one after the other."""
    return [pod * ANNOTATE / AT_ONCE + SYNCED * chance.random() for pod in range(pods)]


def at(share: float, delays: Sequence[float]) -> float:
    """Give the delay within which such a share of the pods has the change."""
    return sorted(delays)[min(len(delays) - 1, int(share * len(delays)))]


def main() -> None:
    """Print two tables."""
    chance = random.Random(20)  # noqa: S311 -- because the same numbers are wanted each time
    print(f"{'pods':>8}  {'':16}{'half':>9}{'99 %':>9}{'all':>9}   seconds")
    for pods in FLEETS:
        ways = (
            ("kubelets watch", by_watch),
            ("kubelets cache", by_cache),
            ("rollout", nudged),
        )
        for name, way in ways:
            fleets = [way(pods, chance) for _ in range(max(1, ENOUGH // pods))]
            shown = "".join(
                f"{fmean(at(share, delays) for delays in fleets):9.1f}" for share in SHARES
            )
            print(f"{pods:8,}  {name:16}{shown}")
    print()
    columns = f"{'pods':>8}{'watches':>10}{'patches':>10}{'execs':>10}"
    print(f"{columns}   rollout asks    watches, if every")
    print(f"{'':8}{'(nodes)':>10}{'':20}   for, seconds    process had one")
    for pods in FLEETS:
        nodes = -(-pods // PODS_A_NODE)
        shown = f"{pods:8,}{nodes:10,}{pods:10,}{pods:10,}"
        print(f"{shown}{pods * EXEC / AT_ONCE:15,.0f}{pods * PROCESSES:19,}")


if __name__ == "__main__":
    main()
