"""``rollout`` against an API server: real processes, real volumes, a kubelet for each pod."""

from __future__ import annotations

import io
import itertools
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line is an extra")
pytest.importorskip("kubernetes", reason="the client is an extra")

from api_server import ApiServer, Pod
from applications import Application
from command import run, screens
from dynaconf_k8s_reload.cli.rollout import command, following, uses
from dynaconf_k8s_reload.cli.rollout.cluster import APPLIED, Cluster
from dynaconf_k8s_reload.cli.rollout.uses import Resource, Use
from dynaconf_k8s_reload.cli.rollout.verdict import State, Verdict
from dynaconf_k8s_reload.testing import AtomicWriter

REFUSES_TEN = "settings.validators.register(__import__('dynaconf').Validator('POOL', lt=10))"


class Town:
    """A cluster with some pods in it."""

    def __init__(self, api: ApiServer, directory: Path) -> None:
        self.api = api
        self.directory = directory
        self.apps: dict[str, Application] = {}
        self._stack = ExitStack()

    def hold(self, pool: object, name: str = "shop") -> None:
        """Have the cluster hold a ConfigMap."""
        self.api.objects[f"configmaps/{name}"] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"team": "a"}, "managedFields": []},
            "data": {"MYAPP_POOL": str(pool)},
        }

    def manifest(self, pool: object, name: str = "shop") -> Path:
        """Write a manifest."""
        path = self.directory / "configmap.yaml"
        path.write_text(
            "apiVersion: v1\nkind: ConfigMap\n"
            f"metadata: {{name: {name}, labels: {{tier: b}}}}\ndata: {{MYAPP_POOL: '{pool}'}}\n"
        )
        return path

    def deploy(self, name: str, *, runs: bool = True, mount: Any = (), **options: Any) -> Pod:
        """Start a pod of a Deployment of the same name that follows ``configmap/shop``."""
        volume = AtomicWriter(self.directory / name)
        volume.write(self.api.objects["configmaps/shop"]["data"])
        spec: dict[str, Any] = {
            "metadata": {
                "name": f"{name}-1",
                "labels": {"app": name},
                "ownerReferences": [
                    {"kind": "Node", "name": "n"},
                    {"kind": "ReplicaSet", "name": name, "controller": True},
                ],
            },
            "spec": {
                "nodeName": "n1",
                "volumes": [{"name": "v", "configMap": {"name": "shop"}}],
                "containers": [
                    {
                        "name": "main",
                        "volumeMounts": [
                            {"name": "v", "mountPath": str(volume.directory), **dict(mount)}
                        ],
                    }
                ],
            },
            "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {}}]},
        }
        state = {"running": {}} if runs else {"waiting": {"reason": "CrashLoopBackOff"}}
        spec["status"]["containerStatuses"][0]["state"] = state
        if runs:
            app = Application(volume.directory, **options)
            self.apps[name] = self._stack.enter_context(app)
            app("settings.POOL")
        pod = Pod(
            spec,
            {"configmaps/shop": volume},
            (lambda: [self.apps[name].process.pid]) if runs else None,
        )
        self.api.pods[f"{name}-1"] = pod
        owner = {"kind": "Deployment", "name": name, "controller": True}
        self.api.objects[f"replicasets/{name}"] = {"metadata": {"ownerReferences": [owner]}}
        self.api.objects[f"deployments/{name}"] = {
            "metadata": {"generation": 1},
            "spec": {"replicas": 1},
            "status": {
                "observedGeneration": 1,
                "replicas": 1,
                "updatedReplicas": 1,
                "availableReplicas": 1,
            },
        }
        return pod

    def close(self) -> None:
        """End the applications."""
        self._stack.close()


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A cluster that holds ``configmap/shop``, and little patience."""
    monkeypatch.setattr(following, "ASK_EVERY", 0.05)
    with ApiServer().serving() as api:
        api.write_config(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        town = Town(api, tmp_path)
        town.hold(1)
        try:
            yield town
        finally:
            town.close()


def rows(*arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run a roll-out; give its exit status and the row of each pod."""
    done = run("rollout", *arguments, "--json")
    assert done.err == ""
    return done.status, {row["pod"].removesuffix("-1"): row for row in json.loads(done.out)}


def use(pod: str, node: str, container: str = "web") -> Use:
    return Use(pod, node, container, "/config", "9a3f1c5e7b2d8046")


SEEN = [
    Verdict(use("shop-7d9f8b6c5-k8w4m", "n2"), State.SERVED, "", 3, 7, "9a3f1c5e7b2d8046", 0.1),
    Verdict(
        use("shop-7d9f8b6c5-x2x9p", "n1"),
        *(State.SERVED, "", 3, 7, "9a3f1c5e7b2d8046", 0.1),
        restart_required=("DATABASES",),
    ),
    Verdict(
        use("jobs-1", "n1", "worker"),
        State.REFUSED,
        "POOL (MYAPP_POOL) of /config rejected: a validator refuses POOL (lt)",
        *(1, 6, "51be70aa9c34d2f8"),
    ),
    Verdict(use("legacy-1", "n2"), State.FIXED, "subPath: the kubelet never updates it"),
]


def test_screens(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is too narrow shows fewer columns, and neither a name nor a reason cut."""
    monkeypatch.setattr(following.Following, "look", lambda _: SEEN)
    assert screens("rollout", "rollout", "status", "configmap/shop").status == 1


def test_a_change_arrives_in_every_process(town: Town) -> None:
    """Tried, applied with what the cluster has beside it, nudged, and served: status 0."""
    town.deploy("web")
    town.deploy("worker")
    status, found = rows("configmap/shop", "-f", town.manifest(2))
    assert status == 0
    assert {row["state"] for row in found.values()} == {"served"}
    assert {row["generation"] for row in found.values()} == {2}
    assert [town.apps[name]("settings.POOL") for name in ("web", "worker")] == [2, 2]
    assert town.api.asked[:2] == ["PUT configmaps/shop (dry run)", "PUT configmaps/shop"]
    assert sorted(town.api.asked[2:]) == ["PATCH pods/web-1", "PATCH pods/worker-1"]
    assert town.api.objects["configmaps/shop"]["metadata"]["labels"] == {"team": "a", "tier": "b"}


def test_kubectl_apply_goes_on_from_a_roll_out(town: Town) -> None:
    """What it compares with is what was rolled out, where it is there; else it stays away."""
    assert rows("configmap/shop", "-f", town.manifest(2))[0] == 0
    metadata = town.api.objects["configmaps/shop"]["metadata"]
    assert APPLIED not in metadata["annotations"]
    metadata["annotations"][APPLIED] = "{}"
    assert rows("configmap/shop", "-f", town.manifest(3))[0] == 0
    annotation = town.api.objects["configmaps/shop"]["metadata"]["annotations"][APPLIED]
    applied = json.loads(annotation)
    assert (applied["data"], applied["metadata"]["labels"]) == ({"MYAPP_POOL": "3"}, {"tier": "b"})


def test_each_truth_is_told(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One follows, one refuses, one has crashed, two cannot follow: status 1, and each reason."""
    town.deploy("web")
    town.deploy("strict")
    town.apps["strict"](REFUSES_TEN)
    town.deploy("crashed", runs=False)
    town.deploy("fixed", mount={"subPath": "MYAPP_POOL"})
    town.deploy("silent").pids = None
    sync = town.api.sync

    def sync_and_wait(pod: Pod) -> None:
        sync(pod)
        app = town.apps.get(pod.spec["metadata"]["labels"]["app"])
        if app is not None:
            app.eventually("reloader.status().generation + reloader.status().rejected", 2)

    # What nobody answers for is asked until the end, by when the others are to have decided.
    monkeypatch.setattr(town.api, "sync", sync_and_wait)
    status, found = rows("cm/shop", "-f", town.manifest(10), "--timeout", "1s")
    assert status == 1
    states = {name: row["state"] for name, row in found.items()}
    assert states == {
        "web": "served",
        "strict": "refused",
        "crashed": "down",
        "fixed": "does not follow",
        "silent": "cannot be asked",
    }
    assert found["strict"]["reason"].startswith("POOL (MYAPP_POOL)")
    assert found["strict"]["revision"] != found["strict"]["expected"] == found["web"]["revision"]
    assert found["fixed"]["reason"].startswith("subPath")
    assert found["crashed"]["reason"] == "CrashLoopBackOff"
    assert "executable file not found" in found["silent"]["reason"]
    shown = run("rollout", "status", "configmap/shop", columns=200)
    assert shown.status == 1
    assert "5 pods: 1 cannot be asked, 1 does not follow, 1 down, 1 refused, 1 served" in shown.out
    told = shown.out.replace(str(tmp_path), "").replace("n1", "")  # either may have it
    assert "10" not in told.split("strict")[1].split("rejected")[0]


def test_a_correction_arrives_where_the_mistake_was_refused(town: Town) -> None:
    """The refusal of the earlier content is not taken for one of the new."""
    town.deploy("strict")
    town.apps["strict"](REFUSES_TEN)
    assert rows("cm/shop", "-f", town.manifest(10))[0] == 1
    status, found = rows("cm/shop", "-f", town.manifest(3))
    assert (status, found["strict"]["state"]) == (0, "served")


def test_an_old_refusal_counts_after_a_while(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a new content, what was refused before is told once nothing else comes."""
    town.deploy("strict")
    town.apps["strict"](REFUSES_TEN)
    assert rows("cm/shop", "-f", town.manifest(10))[0] == 1
    monkeypatch.setattr(following, "REFUSED_SECONDS", 0.2)
    status, found = rows("cm/shop")
    assert (status, found["strict"]["state"]) == (1, "refused")


def test_only_what_needs_it_is_restarted(town: Town) -> None:
    """With --restart a Deployment with a changed restart key is rolled; one that follows is not."""
    town.deploy("web")
    town.deploy("pooled", k8s_restart_keys=["POOL"])
    rolled: list[str] = []

    def restart(path: str) -> None:
        rolled.append(path)
        town.api.objects[path]["metadata"]["generation"] = 1
        app = town.apps["pooled"]
        app.finish()
        town.apps["pooled"] = town._stack.enter_context(
            Application(*[v.directory for v in town.api.pods["pooled-1"].volumes.values()])
        )
        town.apps["pooled"]("settings.POOL")

    town.api.on_patch = restart
    _, found = rows("cm/shop", "-f", town.manifest(2))
    assert found["pooled"]["restart_required"] == ["POOL"]
    assert rolled == []
    done = run("rollout", "cm/shop", "--restart", columns=200)
    assert done.status == 0, done.out
    assert rolled == ["deployments/pooled"]
    assert "restarted: deployment/pooled" in done.out
    assert rows("status", "cm/shop")[1]["pooled"]["generation"] == 1


def test_what_refuses_is_not_restarted(town: Town) -> None:
    """It would not come up with that content."""
    town.deploy("strict", k8s_restart_keys=["POOL"])
    rows("cm/shop", "-f", town.manifest(2))
    town.apps["strict"](REFUSES_TEN)
    _, found = rows("cm/shop", "-f", town.manifest(10), "--restart")
    assert found["strict"]["restart_required"] == ["POOL"]
    assert not [asked for asked in town.api.asked if "deployments" in asked]


def test_status_only_looks_and_nudge_only_annotates(town: Town) -> None:
    """Neither writes the ConfigMap; a selector leaves other pods alone."""
    town.deploy("web")
    town.deploy("worker")
    assert rows("status", "cm/shop", "-l", "app=web")[1].keys() == {"web"}
    assert town.api.asked == []
    assert run("rollout", "nudge", "cm/shop", "-l", "app=worker").out == "nudged: worker-1\n"
    assert json.loads(run("rollout", "nudge", "cm/shop", "--json").out) == ["web-1", "worker-1"]
    assert {asked.split("/")[0] for asked in town.api.asked} == {"PATCH pods"}


def test_a_new_resource_is_created(town: Town) -> None:
    """What the cluster does not hold is made; nobody has it yet, which is no failure."""
    assert rows("cm/other", "-f", town.manifest(1, "other")) == (0, {})
    assert town.api.asked == ["POST configmaps (dry run)", "POST configmaps"]
    said = run("rollout", "status", "cm/other").out
    assert said.splitlines()[-1].startswith("0 pods: nobody mounts it; if somebody should, look at")


SHOP = """
from dynaconf import Dynaconf, Validator

settings = Dynaconf(
    envvar_prefix="MYAPP",
    loaders=["dynaconf_k8s_reload.loader"],
    validators=[Validator("POOL", lt=10)],
)
"""


def test_what_the_settings_would_refuse_is_not_applied(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --settings the manifest is checked first: status 1, the reason, nothing written."""
    (tmp_path / "shop_settings.py").write_text(SHOP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    checked = ("rollout", "cm/shop", "--settings", "shop_settings:settings", "-f")
    done = run(*checked, town.manifest(11))
    assert (done.status, town.api.asked) == (1, [])
    assert "Refused." in done.out
    assert "POOL (MYAPP_POOL)" in done.out
    done = run(*checked, town.manifest(12), "--json")
    assert (done.status, json.loads(done.out)["accepted"], town.api.asked) == (1, False, [])
    assert run(*checked, town.manifest(2)).status == 0
    assert town.api.asked == ["PUT configmaps/shop (dry run)", "PUT configmaps/shop"]


def test_what_cannot_run_says_why(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 2, a sentence with the remedy, and nothing has been changed."""
    for arguments, message in (
        (("cm/absent",), "configmap/absent is not in namespace shop"),
        (("cm/other", "-f", town.manifest(1)), "does not hold configmap/other"),
        (("pod/shop",), "names no resource"),
        (("look", "cm/shop"), "neither status nor nudge"),
        (("status", "cm", "shop"), "'cm shop' is two words; write configmap/shop"),
        (("secrets", "shop"), "'secrets shop' is two words; write secret/shop"),
        (("status", "cm/shop", "--restart"), "changes nothing"),
        (("cm/shop", "--settings", "a:b"), "name one with -f"),
        (("cm/shop", "--timeout", "soon"), "write 90s or 2m"),
    ):
        done = run("rollout", *arguments)
        assert done.status == 2
        assert message in " ".join(done.err.split()).replace("│ ", "")
    (tmp_path / "configmap.yaml").write_text("kind: ConfigMap\ndata: [1]\n")
    assert run("rollout", "cm/shop", "-f", tmp_path / "configmap.yaml").status == 2
    (tmp_path / "configmap.yaml").write_bytes(b"\xff")
    done = run("rollout", "cm/shop", "-f", tmp_path / "configmap.yaml")
    assert "UnicodeDecodeError" in done.err
    town.api.refuse = (422, 'ConfigMap "shop" is invalid')
    done = run("rollout", "cm/shop", "-f", town.manifest(1))
    assert (done.status, 'the API server refuses: ConfigMap "shop" is invalid' in done.err) == (
        2,
        True,
    )
    assert town.api.asked == []
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "name a kubeconfig in KUBECONFIG" in run("rollout", "cm/shop").err
    told = run("rollout", "cm/shop", "--context", "staging").err
    assert told.startswith("Error: no context staging is configured; look at the kubeconfig")
    for content in (b"\xff", b"- [", b"- a", b"clusters: 3"):
        (tmp_path / "none").write_bytes(content)
        done = run("rollout", "cm/shop")
        assert (done.status, done.err.split("(")[0]) == (2, "Error: the kubeconfig cannot be read ")


def test_an_api_server_that_is_away_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is no traceback."""
    with ApiServer().serving() as api:
        api.write_config(tmp_path / "kubeconfig", namespace=None)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    done = run("rollout", "cm/shop")
    assert (done.status, "the API server cannot be reached" in done.err) == (2, True)


def test_what_is_no_api_server_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that wants a person to log in answers with a page."""

    def page(self: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    monkeypatch.setattr("api_server._Handler.do_GET", page)
    done = run("rollout", "status", "cm/shop")
    assert (done.status, "it sends no JSON; look at the kubeconfig" in done.err) == (2, True)


def test_a_namespace_that_is_not_there_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the API server's words; it would create the ConfigMap."""
    del town.api.objects["configmaps/shop"]

    def refuse(self: Any) -> None:
        self._body()
        self._absent("namespaces/shop")

    monkeypatch.setattr("api_server._Handler.do_POST", refuse)
    done = run("rollout", "cm/shop", "-f", town.manifest(2))
    assert done.status == 2
    assert done.err == "Error: the API server refuses: namespaces/shop not found\n"


def test_workloads_are_told_by_their_own_counts(town: Town) -> None:
    """A roll is over once all pods are of the new template and ready, whatever kind they are of."""
    cluster = Cluster(None)
    for kind, path, spec, done, not_yet in (
        (
            "Deployment",
            "deployments/x",
            {},
            {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
            {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1},
        ),
        (
            "StatefulSet",
            "statefulsets/x",
            {"replicas": 2},
            {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2},
            {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2},
        ),
        (
            "DaemonSet",
            "daemonsets/x",
            {},
            {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3},
            {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2},
        ),
    ):
        for status, expected in ((done, True), (not_yet, False)):
            found = {"metadata": {"generation": 2}, "spec": spec}
            town.api.objects[path] = found | {"status": status | {"observedGeneration": 2}}
            assert cluster.has_rolled(kind, "x") is expected
        town.api.objects[path] = found | {"status": done | {"observedGeneration": 1}}
        assert cluster.has_rolled(kind, "x") is False


def test_a_pod_may_belong_to_anything(town: Town) -> None:
    """To a StatefulSet itself, to nobody, or to what rolls out otherwise."""
    owner: dict[str, Any] = {"kind": "StatefulSet", "name": "x", "controller": True}
    cluster = Cluster("shop", "x")
    assert cluster.owner({"metadata": {"ownerReferences": [owner]}}) == ("StatefulSet", "x")
    assert cluster.owner({"metadata": {"ownerReferences": [owner | {"kind": "Job"}]}}) is None
    assert cluster.owner({"metadata": {}}) is None


def test_what_has_gone_meanwhile_is_no_trouble(town: Town) -> None:
    """A pod needs no nudge then, and is rolled with nothing."""
    cluster = Cluster(None)
    cluster.nudge("gone")
    owner = {"kind": "ReplicaSet", "name": "gone", "controller": True}
    assert cluster.owner({"metadata": {"ownerReferences": [owner]}}) is None
    assert cluster.read(Resource("Secret", "gone")) is None


def test_a_workload_that_has_gone_ends_it(town: Town) -> None:
    """What was to be restarted cannot be waited for; that the content is applied is said."""
    town.deploy("web", mount={"subPath": "MYAPP_POOL"})
    del town.api.objects["deployments/web"]
    done = run("rollout", "cm/shop", "-f", town.manifest(2), "--restart")
    assert done.status == 2
    assert "configmap/shop is applied, but the API server refuses: " in done.err
    assert "deployments/web not found" in done.err


def test_a_restart_that_does_not_end_is_told(town: Town) -> None:
    """A Deployment that is paused, or a strategy that waits for a person: status 1."""
    town.deploy("web", k8s_restart_keys=["POOL"])
    town.api.on_patch = lambda path: town.api.objects[path]["metadata"].update(generation=2)
    assert run("rollout", "cm/shop", "-f", town.manifest(2)).status == 0
    done = run("rollout", "cm/shop", "--restart", "--timeout", "2s")
    assert (done.status, done.err) == (1, "not restarted in time: deployment/web\n")
    assert "restarted: deployment/web" in done.out


def test_of_two_roll_outs_one_is_told_that_it_lost(town: Town) -> None:
    """All serve the other's content: that is not what it was asked for."""
    pod = town.deploy("web")
    run_before, asked = pod.run, itertools.count()

    def run_and_write(command: list[str]) -> Any:
        if next(asked) == 1:
            town.hold(3)
            town.api.sync(pod)
            return b"[]", b"", 0
        return run_before(command)

    pod.run = run_and_write  # type: ignore[method-assign] # reason: a pod that others change
    done = run("rollout", "cm/shop", "-f", town.manifest(2))
    assert done.status == 2
    assert "somebody else has changed or deleted configmap/shop" in done.err


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((b"{}", b"", 0), "its answer cannot be read; install the same release there"),
        ((b"", b"no process has a status\n", 2), "(no process has a status)"),
        ((b"", b"", None), "(no output)"),
    ],
)
def test_what_a_container_answers_may_be_odd(
    town: Town, monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str
) -> None:
    """Then a sentence says how."""
    pod = town.deploy("web")
    monkeypatch.setattr(pod, "run", lambda _: answer)
    told = Cluster(None).ask(Use("web-1", "n1", "main", "/config", None))
    assert told.silence.endswith(reason)


@contextmanager
def page(answer: Callable[[], bytes]) -> Iterator[int]:
    """Serve a page on a port of this machine; give the port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)  # which a status page answers where it is not well
            self.end_headers()
            self.wfile.write(answer())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_without_the_command_the_status_page_is_asked(town: Town) -> None:
    """The one that a probe asks, through a forwarded port; that it may not tell of all is said."""
    pod = town.deploy("web")
    pod.pids = None

    def answer() -> bytes:
        return json.dumps(town.apps["web"]("reloader.status().as_dict()")).encode()

    with page(answer) as port:
        probe = {"httpGet": {"port": port, "path": "/-/config/live"}}
        pod.spec["spec"]["containers"][0]["livenessProbe"] = probe
        status, found = rows("cm/shop", "-f", town.manifest(2), "--timeout", "60s")
    assert (status, found["web"]["state"], found["web"]["processes"]) == (0, "served", 1)
    assert found["web"]["reason"].startswith("by its status page")


@pytest.mark.parametrize("content", [b"fine", b"[]", b'{"pid": 1}', b'{"status": "ok"}', b"\xff"])
def test_another_page_is_no_answer(town: Town, content: bytes) -> None:
    """What a probe asks for may be anything; then the command's reason is told."""
    pod = town.deploy("web", runs=False)
    pod.spec["status"]["containerStatuses"][0]["state"] = {"running": {}}
    container = pod.spec["spec"]["containers"][0]
    with page(lambda: content) as port:
        container["livenessProbe"] = {"httpGet": {"port": port}}
        (found,) = rows("status", "cm/shop")[1].values()
    assert "executable file not found" in found["reason"]
    (found,) = rows("status", "cm/shop")[1].values()  # nobody listens there any more
    assert found["state"] == "cannot be asked"


def test_a_pod_that_is_gone_cannot_be_asked(town: Town) -> None:
    """The API server's refusal is told, in its own words only."""
    told = Cluster(None).ask(Use("gone", "n1", "main", "/config", None))
    assert told.silence == "exec failed: pods/gone/exec not found"


@pytest.mark.parametrize("sent", [b"", b"\x82\x7f" + struct.pack(">Q", 100) + b"\x01["])
def test_a_connection_that_breaks_is_told(
    town: Town, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """The pod goes, or its node, before the answer or in the middle of it."""
    town.deploy("web")

    def go(self: Any, *_: object) -> None:
        self._upgrade()
        self.wfile.write(sent)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    monkeypatch.setattr("api_server._Handler._exec", go)
    told = Cluster(None).ask(Use("web-1", "n1", "main", "/config", None))
    assert told.silence == "exec failed: WebSocketConnectionClosedException"


def test_a_node_that_falls_silent_is_not_waited_for(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even in the middle of its answer."""
    town.deploy("web")
    over = threading.Event()

    def fall_silent(self: Any, *_: object) -> None:
        # By now the client waits for the handshake, for as long as it may take on a busy machine.
        monkeypatch.setattr("dynaconf_k8s_reload.cli.rollout.containers.EXEC_SECONDS", 0.2)
        sent, self.wfile = self.wfile, io.BytesIO()
        self._upgrade()
        # With its end, so that what is waited for next is the rest of a frame.
        sent.write(self.wfile.getvalue() + b"\x82\x7f" + struct.pack(">Q", 100))
        over.wait(60)

    monkeypatch.setattr("api_server._Handler._exec", fall_silent)
    told = Cluster(None).ask(Use("web-1", "n1", "main", "/config", None))
    over.set()
    assert told.silence == "exec failed: WebSocketTimeoutException"


@pytest.mark.parametrize("pages", [(), (uses.Page(80, "/"),)])
def test_a_handshake_that_nobody_answers_is_given_up(
    town: Town, monkeypatch: pytest.MonkeyPatch, pages: tuple[uses.Page, ...]
) -> None:
    """Neither the command nor the status page waits for ever for a node that is frozen."""
    town.deploy("web")
    monkeypatch.setattr("dynaconf_k8s_reload.cli.rollout.containers.EXEC_SECONDS", 0.2)
    over = threading.Event()
    monkeypatch.setattr("api_server._Handler._exec", lambda *_: over.wait(60))
    monkeypatch.setattr("api_server._Handler._forward", lambda *_: over.wait(60))
    told = Cluster(None).ask(Use("web-1", "n1", "main", "/config", None, pages=pages))
    over.set()
    assert told.silence == "exec failed: Connection timed out"


def test_within_a_pod_its_account_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", "/absent")
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)
    assert Cluster(None).namespace == "default"


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is an extra; another module that is missing is a fault, and shown as one."""
    module = "dynaconf_k8s_reload.cli.rollout.cluster"
    monkeypatch.delitem(sys.modules, module, raising=False)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "kubernetes", None)
        done = run("rollout", "cm/shop")
    assert (done.status, "pip install 'dynaconf-k8s-reload[cluster]'" in done.err) == (2, True)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, module, None)
        with pytest.raises(ModuleNotFoundError):
            run("rollout", "cm/shop")


def test_durations_are_kubernetes_own() -> None:
    """As in ``kubectl rollout status --timeout``."""
    context: Any = None
    given = ("90", "90s", "2m", "1h")
    assert [command.seconds(context, context, text) for text in given] == [90, 90, 120, 3600]
