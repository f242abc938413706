"""``rollout`` on a real node: real kubelet, real pods, in the order in which a person would go."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line is an extra")
pytest.importorskip("kubernetes", reason="the client is an extra")
pytest.importorskip("gunicorn", reason="gunicorn is not installed")
pytest.importorskip("celery", reason="Celery is not installed")

from applications import PROGRAMS
from real_cluster import NEEDS_CLUSTER, Namespace, config_map, free_port, namespace

pytestmark = NEEDS_CLUSTER

WORKER = [sys.executable, str(PROGRAMS / "pod_worker.py")]
GUNICORN = [sys.executable, "-m", "gunicorn", "--workers", "2", "--no-control-socket"]
CELERY = [sys.executable, str(PROGRAMS / "pod_celery.py")]
WEB = [*GUNICORN, "pod_web:app", "--bind"]
DJANGO = PROGRAMS.parent / "projects" / "django"
TWO_PODS = 2


@pytest.fixture(scope="module")
def shop() -> Iterator[Namespace]:
    """Eight pods: two of a web server with two workers, and one of each other kind and trouble."""
    with namespace() as made:
        made.create(config_map("shop", **content(1)))
        made.deploy("web", [*WEB, "127.0.0.1:0"], replicas=TWO_PODS)
        django = {"PYTHONPATH": str(DJANGO), "MOUNTS": '["/config"]'}
        command = [*GUNICORN, "project.wsgi", "--bind", "127.0.0.1:0"]
        made.deploy("django", command, variables=django)
        made.deploy("worker", [*WORKER, "1000"], readinessProbe=probe())
        made.deploy("celery", CELERY, readinessProbe=probe())
        made.deploy("strict", [*WORKER, "10"])
        one = {"mountPath": "/one/SHOP_POOL", "subPath": "SHOP_POOL"}
        path = {"K8S_MOUNTS_FOR_DYNACONF": '["/one"]'}
        made.deploy("fixed", [*WORKER, "1000"], variables=path, mount=one)
        made.deploy("crashed", [*WORKER, "10"], variables={"NEEDED": "REGION"})
        made.wait_for(web=TWO_PODS, django=1, worker=1, celery=1, strict=1, fixed=1)
        yield made


def content(pool: int, database: str = ":memory:", **others: str) -> dict[str, str]:
    """Make what the ConfigMap holds, for all of them."""
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": database}
    databases = json.dumps({"default": engine})
    return {"SHOP_POOL": str(pool), "DJANGO_DATABASES": f"@json {databases}", **others}


def probe() -> dict[str, Any]:
    """Ask a worker that has no port."""
    command = ["dynaconf-k8s-reload", "status", "--probe"]
    return {"exec": {"command": command}, "periodSeconds": 10, "timeoutSeconds": 10}


def states(found: dict[str, list[dict[str, Any]]]) -> dict[str, set[str]]:
    """Give the states of each Deployment's pods."""
    return {name: {row["state"] for row in rows} for name, rows in found.items()}


def test_each_truth_is_told(shop: Namespace) -> None:
    """Who serves it, with every process; who refuses it, who has crashed, who cannot follow."""
    manifest = shop.manifest(**content(20))
    status, found = shop.rows("cm/shop", "-f", manifest, "--timeout", "40s")
    assert states(found) == {
        "web": {"served"},
        "django": {"served"},
        "worker": {"served"},
        "celery": {"served"},
        "strict": {"refused"},
        "fixed": {"does not follow"},
        "crashed": {"down"},
    }, shop.told()
    assert status == 1
    assert [row["processes"] for row in found["web"]] == [2, 2]
    assert [row["processes"] for row in found["celery"]] == [2]
    assert found["strict"][0]["reason"].startswith("POOL (SHOP_POOL)")
    assert "subPath" in found["fixed"][0]["reason"]
    assert found["crashed"][0]["reason"].startswith(("CrashLoopBackOff", "Error", "restarted"))
    assert found["strict"][0]["revision"] != found["web"][0]["revision"]
    assert {row["node"] for rows in found.values() for row in rows} != {""}


def test_a_correction_is_served(shop: Namespace) -> None:
    """What had refused takes it, what had crashed comes up; status 0 but for what cannot follow."""
    manifest = shop.manifest(**content(5, SHOP_REGION="north"))
    status, found = shop.rows("cm/shop", "-f", manifest, "-l", "app!=fixed", "--timeout", "3m")
    assert {state for each in states(found).values() for state in each} == {"served"}, shop.told()
    assert status == 0
    status, found = shop.rows("status", "cm/shop")
    assert (status, states(found)["fixed"]) == (1, {"does not follow"})


def test_only_what_needs_it_is_restarted(shop: Namespace) -> None:
    """The one whose DATABASES changed and the one with subPath are rolled; the others live on."""
    before = {pod.metadata.uid: pod.metadata.labels["app"] for pod in shop.pods()}
    manifest = shop.manifest(**content(6, "/tmp/other", SHOP_REGION="north"))
    status, found = shop.rows("cm/shop", "-f", manifest, "--restart", "--timeout", "3m")
    assert status == 0, (found, shop.told())
    assert found["fixed"][0]["reason"].startswith("since its start")
    assert found["django"][0]["generation"] == 1
    assert [row["generation"] for row in found["web"] + found["celery"]] == [4, 4, 4]
    after = {pod.metadata.uid for pod in shop.pods()}
    assert {app for uid, app in before.items() if uid not in after} == {"django", "fixed"}
    assert not [row for rows in found.values() for row in rows if row["restart_required"]]
    assert shop.rows("status", "cm/shop", "-l", "app!=fixed")[0] == 0


def test_without_the_command_the_status_page_tells(shop: Namespace) -> None:
    """Both workers answer through the forwarded port of the page that the probe asks."""
    port = free_port()
    get = {"path": "/-/config/live", "port": port, "host": "127.0.0.1"}
    probe = {"httpGet": get, "timeoutSeconds": 5}
    command = [*WEB, f"127.0.0.1:{port}"]
    shop.deploy("page", command, variables={"PATH": "/nowhere"}, readinessProbe=probe)
    shop.wait_for(page=1)
    manifest = shop.manifest(**content(7, "/tmp/other", SHOP_REGION="north"))
    status, found = shop.rows("cm/shop", "-f", manifest, "-l", "app=page", "--timeout", "1m")
    assert status == 0, (found, shop.told())
    (row,) = found["page"]
    assert row["reason"].startswith("by its status page")
    assert row["processes"] == 2


def test_a_secret_arrives_in_a_projected_volume(shop: Namespace, tmp_path: Path) -> None:
    """By its items, beside a key of the ConfigMap and a volume source that is not there."""

    def secret(pool: int) -> dict[str, Any]:
        encoded = base64.b64encode(str(pool).encode()).decode()
        head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
        return {**head, "data": {"pool": encoded, "other": encoded}}

    shop.create(secret(1))
    sources = [
        {"secret": {"name": "keys", "items": [{"key": "pool", "path": "SHOP_POOL"}]}},
        {"configMap": {"name": "shop", "items": [{"key": "SHOP_REGION", "path": "sub/REGION"}]}},
        {"configMap": {"name": "absent", "optional": True}},
    ]
    volume = {"projected": {"sources": sources}}
    shop.deploy("keys", [*WORKER, "1000"], volume=volume)
    shop.wait_for(keys=1)
    manifest = tmp_path / "secret.json"
    manifest.write_text(json.dumps(secret(2)))
    status, found = shop.rows("secret/keys", "-f", manifest, "--timeout", "2m")
    assert (status, states(found)) == (0, {"keys": {"served"}}), (found, shop.told())
    manifest = shop.manifest(**content(8, "/tmp/other", SHOP_REGION="south"))
    status, found = shop.rows("cm/shop", "-f", manifest, "-l", "app=keys", "--timeout", "2m")
    assert (status, found["keys"][0]["generation"]) == (0, 3), (found, shop.told())


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_finds_its_plugin(shop: Namespace) -> None:
    """``kubectl config-rollout`` is the same command."""
    done = subprocess.run(
        ["kubectl", "config-rollout", "status", "configmap/shop", "-n", shop.name, "-l", "app=web"],
        env={**os.environ, "PATH": os.pathsep.join([f"{sys.prefix}/bin", os.environ["PATH"]])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.splitlines()[-1] in ("2 pods: 2 served", "2 pods: 2 waiting"), done.stderr
