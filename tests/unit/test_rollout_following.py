"""The steps of a roll-out, on a scripted cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line is an extra")
pytest.importorskip("rich", reason="the command line is an extra")
from dynaconf_k8s_reload._source.snapshot import revision_of
from dynaconf_k8s_reload.cli.rollout import following
from dynaconf_k8s_reload.cli.rollout.following import Following, Workload
from dynaconf_k8s_reload.cli.rollout.uses import Resource, Use
from dynaconf_k8s_reload.cli.rollout.verdict import Answer, State
from dynaconf_k8s_reload.cli.screen import CannotRunError

SHOP = Resource("ConfigMap", "shop")
NOW = 1000.0
FILES = {"A": b"1"}
MORE = {"B": b"2"}
TOGETHER = {"projected": {"sources": [{"configMap": {"name": "shop"}}, {"secret": {"name": "b"}}]}}


class Scripted:
    """A cluster of one pod that serves the content once it has been asked so many times."""

    def __init__(
        self,
        served_at: int = 1,
        rolled_at: int = 1,
        loaded_at: int = 1,
        starts: int = 0,
        sub_path: bool = False,
        others_at: int = 10**9,
        projected: bool = False,
        **status: Any,
    ) -> None:
        self._others_at = others_at
        self._volume = TOGETHER if projected else {"configMap": {"name": "shop"}}
        self._serves = FILES | MORE if projected else FILES
        self._loaded_at = loaded_at
        self._starts = starts
        self._sub_path = sub_path
        self.asked = 0
        self.looked = 0
        self.restarted: list[Workload] = []
        self._served_at = served_at
        self._rolled_at = rolled_at
        self._status = status

    def read(self, resource: Resource) -> Mapping[str, Any] | None:
        if resource != SHOP:
            return {"data": {"B": "Mg=="}}
        return {"data": {"A": "1"}} if self.asked < self._others_at else None

    def pods(self, selector: str) -> list[Mapping[str, Any]]:
        mount = {"name": "v", "mountPath": "/config"}
        if self._sub_path:
            mount["subPath"] = "A"
        state = {"name": "c", "state": {"running": {}}, "restartCount": self._starts}
        return [
            {
                "metadata": {"name": "p", "uid": str(self.looked >= self._rolled_at)},
                "spec": {
                    "volumes": [{"name": "v", **self._volume}],
                    "containers": [{"name": "c", "volumeMounts": [mount]}],
                },
                "status": {"containerStatuses": [state]},
            }
        ]

    def nudge(self, pod: str) -> None:
        assert pod == "p"

    def ask(self, use: Use) -> Answer:
        self.asked += 1
        if self.asked < self._loaded_at:
            return Answer()
        revision = revision_of(self._serves) if self.asked >= self._served_at else "old"
        status = {
            "pid": 1,
            "generation": 1,
            "mounts": [{"path": "/config", "revision": revision}],
            "healthy": True,
            "problems": [],
            "last_error": None,
            "rejected": 0,
            "lag": None,
            "restart_required": [],
            **self._status,
        }
        return Answer([status])

    def owner(self, pod: Mapping[str, Any]) -> Workload:
        return ("Deployment", "shop")

    def restart(self, kind: str, name: str) -> None:
        self.restarted.append((kind, name))

    def has_rolled(self, kind: str, name: str) -> bool:
        self.looked += 1
        return self.looked >= self._rolled_at


class Time:
    """Goes on while somebody sleeps, however slow the machine is."""

    def __init__(self) -> None:
        self.now = NOW

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "time", Time())


def follow(cluster: Scripted, seconds: float = 300.0) -> Following:
    return Following(cluster, SHOP, deadline=NOW + seconds)


def test_it_asks_until_all_serve_it() -> None:
    """And no more once nothing is awaited."""
    cluster = Scripted(served_at=5)
    (verdict,) = follow(cluster).run(None, restart=False)
    assert (verdict.state, cluster.asked) == (State.SERVED, 5)


def test_what_is_mounted_beside_it_counts() -> None:
    """A volume of several resources is served once the content of all of them is."""
    (verdict,) = follow(Scripted(served_at=3, projected=True)).run(None, restart=False)
    assert (verdict.state, verdict.revision) == (State.SERVED, revision_of(FILES | MORE))


def test_it_gives_up_when_the_time_is_over() -> None:
    """With what is known then."""
    (verdict,) = follow(Scripted(served_at=10**9)).run(None, restart=False)
    assert (verdict.state, verdict.revision) == (State.WAITING, "old")


def test_who_serves_it_is_not_asked_again() -> None:
    """However often one looks."""
    cluster = Scripted()
    one = follow(cluster)
    for _ in range(3):
        assert one.look()[0].state is State.SERVED
    assert cluster.asked == 1


def test_a_restart_is_waited_for() -> None:
    """Then its pods are asked, whatever their names are."""
    cluster = Scripted(rolled_at=4, restart_required=["DB"])
    one = follow(cluster)
    one.run(None, restart=True)
    assert one.restarted == cluster.restarted == [("Deployment", "shop")]
    assert cluster.looked == 4
    assert cluster.asked == 3  # before all, once for the change, once after the restart


def test_a_restart_that_hangs_is_given_up() -> None:
    """When the time is over; what has not been rolled then is named, though all serve it."""
    cluster = Scripted(rolled_at=10**9, restart_required=["DB"])
    one = follow(cluster)
    (verdict,) = one.run(None, restart=True)
    assert cluster.looked > 1
    assert (verdict.state, one.rolling) == (State.SERVED, [("Deployment", "shop")])


@pytest.mark.parametrize("is_written", [False, True])
def test_what_others_change_meanwhile_is_not_waited_for(is_written: bool) -> None:
    """Nobody would ever serve it; that its own change was applied before is told."""
    cluster = Scripted(served_at=10**9, others_at=3)
    write = (lambda: {"data": {"A": "1"}}) if is_written else None
    with pytest.raises(CannotRunError) as raised:
        follow(cluster).run(write, restart=False)
    assert "somebody else has changed or deleted configmap/shop" in str(raised.value)
    assert str(raised.value).startswith("configmap/shop is applied, but") == is_written


def test_nothing_is_restarted_without_need() -> None:
    """What serves the content, and needs nothing, goes on."""
    cluster = Scripted()
    one = follow(cluster)
    one.run(None, restart=True)
    assert one.restarted == []


def test_a_process_that_is_just_starting_is_waited_for() -> None:
    """Nobody follows the mount there as long as the settings are not loaded."""
    cluster = Scripted(loaded_at=4)
    (verdict,) = follow(cluster).run(None, restart=True)
    assert (verdict.state, cluster.asked, cluster.restarted) == (State.SERVED, 4, [])


@pytest.mark.parametrize(("starts", "state"), [(0, State.WAITING), (1, State.DOWN)])
def test_one_that_starts_again_and_again_is_down(starts: int, state: State) -> None:
    """At the end of the time it is told that it has been restarted, if it has."""
    cluster = Scripted(loaded_at=10**9, starts=starts)
    (verdict,) = follow(cluster, following.STARTING_SECONDS / 2).run(None, restart=False)
    assert verdict.state is state
    assert verdict.reason.endswith("no process follows this mount yet")
    assert ("restarted 1 time" in verdict.reason) == bool(starts)


def test_one_that_never_follows_is_restarted() -> None:
    """Once it has had the time to load its settings."""
    cluster = Scripted(loaded_at=10**9, rolled_at=2)
    (verdict,) = follow(cluster).run(None, restart=True)
    assert (verdict.state, cluster.restarted) == (State.FIXED, [("Deployment", "shop")])


def test_to_look_is_not_to_wait() -> None:
    """Who only looks is told what is so now."""
    (verdict,) = follow(Scripted(loaded_at=10**9)).look()
    assert (verdict.state, verdict.reason) == (State.FIXED, "no process follows this mount")


def test_a_new_pod_that_cannot_follow_has_the_content() -> None:
    """Since its start, which comes after the change; one that was there before has not."""
    cluster = Scripted(rolled_at=3, sub_path=True)
    (verdict,) = follow(cluster).run(None, restart=True)
    assert (verdict.state, cluster.restarted) == (State.SERVED, [("Deployment", "shop")])
    assert verdict.reason.startswith("since its start (subPath")
    (verdict,) = follow(Scripted(sub_path=True)).run(None, restart=False)
    assert verdict.state is State.FIXED
