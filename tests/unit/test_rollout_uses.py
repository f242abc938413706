"""Which pods use a ConfigMap or Secret, and what their processes must then report."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("click", reason="the command line is an extra")
from dynaconf_k8s_reload.cli.rollout.uses import Page, Resource, Use, files_of, uses_of
from dynaconf_k8s_reload.cli.rollout.verdict import (
    Answer,
    State,
    Verdict,
    are_statuses,
    judge,
    rejections,
)
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

SHOP = Resource("ConfigMap", "shop")
FILES = {"A": b"1", "app.toml": b"x = 1\n"}
OTHER = {"KEY": b"hunter2"}
UP: dict[str, Any] = {"running": {}}


def contents(resource: Resource) -> dict[str, bytes] | None:
    return {SHOP: FILES, Resource("Secret", "shop"): OTHER}.get(resource)


def pod(volume: dict[str, Any], *mounts: dict[str, Any], **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p"},
        "spec": {
            "nodeName": "n",
            "volumes": [{"name": "v", **volume}, {"name": "tmp", "emptyDir": {}}],
            "containers": [
                {
                    "name": "c",
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]
                    + [{"name": "v", "mountPath": "/config", **mount} for mount in mounts],
                    **container,
                }
            ],
        },
        "status": {"containerStatuses": [{"name": "c", "state": UP}]},
    }


def uses(made: dict[str, Any], resource: Resource = SHOP, *, immutable: bool = False) -> list[Use]:
    return uses_of(resource, made, contents, immutable=immutable)


def served(volume: AtomicWriter, files: dict[str, Any]) -> str:
    """Give the revision that a process reports of these files."""
    volume.write({key: content.decode() for key, content in files.items()})
    settings = make_settings(volume.directory, k8s_watch=False)
    from dynaconf_k8s_reload import get_reloader

    return get_reloader(settings).status().mounts[0].revision


CASES: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "whole": ({"configMap": {"name": "shop"}}, FILES),
    "items": (
        {"configMap": {"name": "shop", "items": [{"key": "A", "path": "sub/x"}]}},
        {"sub/x": b"1"},
    ),
    "optional key": (
        {
            "configMap": {
                "name": "shop",
                "optional": True,
                "items": [{"key": "A", "path": "A"}, {"key": "ABSENT", "path": "B"}],
            }
        },
        {"A": b"1"},
    ),
    "projected": (
        {
            "projected": {
                "sources": [
                    {"configMap": {"name": "shop", "items": [{"key": "A", "path": "A"}]}},
                    {"secret": {"name": "shop"}},
                    {"configMap": {"name": "absent", "optional": True}},
                ]
            }
        },
        {"A": b"1", "KEY": b"hunter2"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_revision_is_what_a_process_reports(volume: AtomicWriter, case: str) -> None:
    """Computed from the API's objects, it equals that of a process with the kubelet's files."""
    source, files = CASES[case]
    (use,) = uses(pod(source, {}))
    assert use[:4] == ("p", "n", "c", "/config")
    assert use.revision == served(volume, files)
    assert (use.hindrance, use.down) == ("", "")


def test_a_secret_is_named_otherwise(volume: AtomicWriter) -> None:
    """A Secret's volume says ``secretName``."""
    (use,) = uses(pod({"secret": {"secretName": "shop"}}, {}), Resource("Secret", "shop"))
    assert use.revision == served(volume, OTHER)


@pytest.mark.parametrize("mount", [{"subPath": "A"}, {"subPathExpr": "$(A)"}])
def test_a_sub_path_is_named(mount: dict[str, Any]) -> None:
    """It never follows, and an immutable ConfigMap does not either."""
    (use,) = uses(pod({"configMap": {"name": "shop"}}, mount))
    assert use.hindrance.startswith("subPath")
    (use,) = uses(pod({"configMap": {"name": "shop"}}, {}), immutable=True)
    assert use.hindrance.startswith("immutable")


@pytest.mark.parametrize(
    "container",
    [
        {"envFrom": [{"prefix": "X_"}, {"configMapRef": {"name": "shop"}}]},
        {"env": [{"name": "A", "value": "1"},
                 {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "shop", "key": "A"}}}]},
    ],
)  # fmt: skip
def test_variables_alone_do_not_follow(container: dict[str, Any]) -> None:
    """A container that has only variables of it is named as well."""
    (use,) = uses(pod({"configMap": {"name": "other"}}, {}, **container))
    assert (use.path, use.revision) == ("", None)
    assert use.hindrance.startswith("variables only")


def test_a_secret_s_content_is_decoded() -> None:
    """Its data are base64; a ConfigMap has bytes beside its texts, and either may be empty."""
    assert files_of("Secret", {"data": {"KEY": "aHVudGVyMg=="}}) == OTHER
    both = {"data": {"A": "é"}, "binaryData": {"B": "/w=="}}
    assert files_of("ConfigMap", both) == {"A": "é".encode(), "B": b"\xff"}
    assert files_of("Secret", {"data": None}) == files_of("ConfigMap", {}) == {}


def test_others_are_left_out() -> None:
    """A pod with other ConfigMaps, or a Secret of the same name, is none of ours."""
    assert uses(pod({"configMap": {"name": "other"}}, {})) == []
    assert uses(pod({"secret": {"secretName": "shop"}}, {})) == []
    assert uses(pod({"configMap": {"name": "shop"}})) == []


def test_what_the_kubelet_makes_cannot_be_computed() -> None:
    """A projected volume with a token or the pod's labels has no revision that the API tells."""
    sources = [{"configMap": {"name": "shop"}}, {"serviceAccountToken": {"path": "token"}}]
    (use,) = uses(pod({"projected": {"sources": sources}}, {}))
    assert use.revision is None


def test_a_container_that_is_down_says_why() -> None:
    """Crashed, or not even started."""
    made = pod({"configMap": {"name": "shop"}}, {})
    made["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert uses(made)[0].down == "CrashLoopBackOff"
    made["status"]["containerStatuses"][0]["state"] = {"terminated": {"reason": "Error"}}
    assert uses(made)[0].down == "Error"
    del made["status"]
    assert uses(made)[0].down == "not started"


def test_sidecars_are_containers() -> None:
    """An init container that goes on running has a state of its own; others have ended."""
    made = pod({"configMap": {"name": "shop"}}, {"mountPath": "/config"})
    (main,) = made["spec"]["containers"]
    made["spec"]["initContainers"] = [
        {**main, "name": "side", "restartPolicy": "Always"},
        {**main, "name": "first"},
    ]
    made["status"]["initContainerStatuses"] = [{"name": "side", "state": UP}]
    assert [(use.container, use.down) for use in uses(made)] == [("c", ""), ("side", "")]


def test_what_probes_ask_for_may_be_a_status_page() -> None:
    """By HTTP only, each once, with its port's number and the headers that it sends."""
    get = {"port": "web", "path": "/-/config/live"}
    host = {"httpHeaders": [{"name": "Host", "value": "shop"}]}
    made = pod(
        {"configMap": {"name": "shop"}},
        {"mountPath": "/config"},
        ports=[{"name": "web", "containerPort": 8000}],
        livenessProbe={"httpGet": get},
        readinessProbe={"httpGet": {"port": 8000, **host}},
        startupProbe={"httpGet": get},
    )
    assert uses(made)[0].pages == (
        Page(8000, "/-/config/live"),
        Page(8000, "/", (("Host", "shop"),)),
    )
    probe = {"httpGet": {**get, "scheme": "HTTPS"}}
    main = made["spec"]["containers"][0]
    main |= {"livenessProbe": probe, "readinessProbe": {"exec": {}}, "startupProbe": None}
    assert uses(made)[0].pages == ()


USE = Use("p", "n", "c", "/config", "abc")


def status(**said: Any) -> dict[str, Any]:
    mount = {"path": said.pop("path", "/config"), "revision": said.pop("mount", "abc")}
    return {
        "pid": 7,
        "generation": 3,
        "mounts": [mount],
        "healthy": True,
        "problems": [],
        "last_error": None,
        "rejected": 0,
        "lag": 0.5,
        "restart_required": [],
        **said,
    }


def verdict(*statuses: dict[str, Any], use: Use = USE, **before: Any) -> Verdict:
    return judge(use, Answer(statuses), before.get("before", {}))


def test_all_processes_must_serve_it() -> None:
    """One worker that has not come so far is waited for; the lowest generation is shown."""
    both = verdict(status(), status(pid=8, generation=2, lag=1.5, restart_required=["DB"]))
    assert (both.state, both.processes, both.generation) == (State.SERVED, 2, 2)
    assert (both.lag, both.restart_required) == (1.5, ("DB",))
    one = verdict(status(), status(pid=8, mount="old", lag=None))
    assert (one.state, one.revision, one.lag) == (State.WAITING, "abc, old", 0.5)


def test_who_refused_is_told() -> None:
    """With the reason; one that had refused something before is waited for."""
    refusing = status(mount="old", last_error="POOL refused", rejected=1)
    assert verdict(refusing)[1:3] == (State.REFUSED, "POOL refused")
    assert verdict(refusing, before={7: 1}).state is State.WAITING
    assert verdict(refusing | {"rejected": 2}, before={7: 1}).state is State.REFUSED


def test_rejections_are_a_mount_s_own() -> None:
    """Those of a process's other objects, with other mounts, are none of it; of two, the most."""
    statuses = [status(rejected=1), status(rejected=3), status(path="/other", rejected=9)]
    assert rejections(USE, Answer([*statuses, status(pid=8)])) == {7: 3, 8: 0}


def test_what_holds_a_process_up_is_told() -> None:
    """Its own problem, or that it does not watch; nothing while the kubelet has not written it."""
    held = status(mount="old", problems=["a reload has been running", "another"])
    assert verdict(status(), held)[1:3] == (State.WAITING, "a reload has been running")
    by_hand = verdict(status(watching="off"), status(mount="old", watching="off"))
    assert by_hand[1:3] == (
        State.WAITING,
        "its watch is off, so it follows when it calls reload()",
    )
    others = verdict(status(problems=["of one that serves it"]), status(mount="old"))
    assert others[1:3] == (State.WAITING, "")


def test_a_volume_at_another_path_than_the_application_reads() -> None:
    """Both are named, and where to correct it."""
    elsewhere = verdict(status(path="/other"), status(path="/other"))
    assert elsewhere[1:3] == (
        State.FIXED,
        "no process follows this mount, /config, but /other; correct mountPath or k8s_mounts",
    )


def test_a_mount_that_nobody_follows() -> None:
    """Where the container was started again, that is told: perhaps it crashes again and again."""
    assert verdict().reason == "no process follows this mount"
    again = verdict(use=USE._replace(starts=2))
    assert again[1:3] == (State.FIXED, "restarted 2 times; no process follows this mount")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], True),
        ([status(), status(later="field")], True),
        ({}, False),
        ([1], False),
        ([{}], False),
        ([status() | {"mounts": None}], False),
        ([status() | {"mounts": [{"path": "/config"}]}], False),
    ],
)
def test_an_answer_is_looked_at_before_it_is_believed(answer: Any, expected: bool) -> None:
    """A container may have another program of that name, or another release."""
    assert are_statuses(answer) is expected


def test_the_other_states() -> None:
    """Each thing that keeps a container from serving it has its own word."""
    assert verdict(status(healthy=False, problems=["hangs"]))[1:3] == (State.UNHEALTHY, "hangs")
    assert verdict(status(healthy=False)).reason == "its watch does not work"
    assert verdict(status(path="/other")).state is State.FIXED
    assert verdict(status(), use=USE._replace(revision=None)).state is State.UNKNOWN
    assert verdict(status(), use=USE._replace(hindrance="subPath")).state is State.FIXED
    silent = Answer(silence="no command")
    assert judge(USE._replace(down="Error"), Answer(), {})[1:3] == (State.DOWN, "Error")
    assert judge(USE, silent, {})[1:3] == (State.SILENT, "no command")
    fixed = USE._replace(hindrance="subPath")
    assert judge(fixed, silent, {})[1:3] == (State.FIXED, "subPath")
    page = judge(USE, Answer([status()], by_page=True), {})
    assert page[1:3] == (
        State.SERVED,
        "by its status page, which tells of the workers that answered",
    )


def test_json_has_it_all() -> None:
    """Plain types, where it is, what is served and what should be."""
    assert verdict(status(mount="old", restart_required=["DB"])).as_dict() == {
        "pod": "p",
        "node": "n",
        "container": "c",
        "path": "/config",
        "state": "waiting",
        "reason": "",
        "processes": 1,
        "generation": 3,
        "revision": "old",
        "expected": "abc",
        "lag": 0.5,
        "restart_required": ["DB"],
    }
