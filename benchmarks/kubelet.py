"""How long a change takes on a real node, by itself and with `rollout`.

    KUBECONFIG=... python benchmarks/kubelet.py [PODS] [ROUNDS]

Each round changes one ConfigMap that so many pods follow, twice: once by itself, once with
``rollout -f``, which annotates the pods. Each pod tells when its kubelet swapped the files and when
it served them. Before a change that comes by itself is a pause of a random length, so that it meets
the kubelet's rounds at any moment. Like tests/cluster it needs a cluster whose only node is this
machine.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from kubernetes import client

from applications import PROGRAMS
from dynaconf_k8s_reload.cli.rollout.cluster import Cluster
from dynaconf_k8s_reload.cli.rollout.uses import Use
from real_cluster import PATIENCE, Namespace, api, config_map, namespace

PAUSE = 60.0  # seconds, at most
ASK_EVERY = 5.0
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def change(shop: Namespace, pool: int) -> float:
    """Write the ConfigMap; give the time of that."""
    with api() as made:
        since = time.time()
        client.CoreV1Api(made).replace_namespaced_config_map(
            "shop", shop.name, config_map("shop", SHOP_POOL=str(pool))
        )
    return since


def arrivals(shop: Namespace, since: float) -> list[tuple[float, float]]:
    """Wait until all pods serve a later content; give when each kubelet swapped, and it served."""
    cluster = Cluster(shop.name)
    waiting = {pod.metadata.name for pod in shop.pods()}
    found: list[tuple[float, float]] = []
    deadline = time.time() + 2 * PATIENCE
    while waiting and time.time() < deadline:
        for name in sorted(waiting):
            for status in cluster.ask(Use(name, "", "main", "/config", None)).statuses:
                served = datetime.fromisoformat(status["applied_at"]).timestamp() - since
                if served > 0:
                    waiting.discard(name)
                    found.append((served - status["lag"], served))
        if waiting:
            time.sleep(ASK_EVERY)
    return found


def line(name: str, seconds: Sequence[float]) -> str:
    """Show a distribution."""
    order = sorted(seconds)
    shown = "".join(f"{order[int(q * (len(order) - 1))]:9.1f}" for q in QUANTILES)
    return f"{name:34}{len(order):6}{shown}"


def main() -> None:
    """Measure, and print a table."""
    pods, rounds = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (8, 4)  # noqa: PLR2004 -- because both are named, or none
    alone: list[tuple[float, float]] = []
    rolled: list[tuple[float, float]] = []
    last: list[float] = []
    known: list[float] = []
    with namespace() as shop:
        shop.create(config_map("shop", SHOP_POOL="1"))
        worker = [sys.executable, str(PROGRAMS / "pod_worker.py"), "1000"]
        shop.deploy("worker", worker, replicas=pods)
        shop.wait_for(worker=pods)
        for number in range(rounds):
            time.sleep(PAUSE * random.random())  # noqa: S311 -- because nobody gains by guessing it
            found = arrivals(shop, change(shop, 2 * number + 2))
            alone += found
            last.append(max(served for _, served in found))
            manifest = shop.manifest(SHOP_POOL=str(2 * number + 3))
            since = time.time()
            done = shop.rollout("cm/shop", "-f", manifest)
            known.append(time.time() - since)
            rolled += arrivals(shop, since)
            print(
                f"round {number + 1}: {last[-1]:.1f} s, {known[-1]:.1f} s",
                done.out,
                file=sys.stderr,
            )
    heads = "".join(f"{head:>9}" for head in ("first", "25 %", "half", "75 %", "last"))
    print(f"{f'seconds, {pods} pods':40}{heads}")
    print(line("by itself: the kubelet's swap", [swapped for swapped, _ in alone]))
    print(line("by itself: served", [served for _, served in alone]))
    print(line("rollout -f: the kubelet's swap", [swapped for swapped, _ in rolled]))
    print(line("rollout -f: served", [served for _, served in rolled]))
    print(line("by itself: all served", last))
    print(line("rollout -f: all known to serve it", known))


if __name__ == "__main__":
    main()
