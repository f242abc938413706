"""The example's Roles against a real API server: each gives what its command needs, and no more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click", reason="the command line is an extra")
pytest.importorskip("kubernetes", reason="the client is an extra")

import yaml
from kubernetes import client

from applications import PROGRAMS
from docs_site import ROOT
from real_cluster import NEEDS_CLUSTER, Namespace, api, config_map, namespace

pytestmark = NEEDS_CLUSTER

ROLES = [
    role["metadata"]["name"]
    for role in yaml.safe_load_all((ROOT / "examples/rollout/rbac.yaml").read_text())
]


@pytest.fixture(scope="module")
def shop() -> Iterator[Namespace]:
    """One worker with a restart key, and an account for each Role."""
    with namespace() as made:
        made.create(config_map("shop", SHOP_POOL="1"))
        made.create(*yaml.safe_load_all((ROOT / "examples/rollout/rbac.yaml").read_text()))
        for name in [*ROLES, "nobody"]:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
            binding = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": name},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": name,
                },
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": made.name}],
            }
            made.create(account, *([binding] if name in ROLES else []))
        restart = {"K8S_RESTART_KEYS_FOR_DYNACONF": '["POOL"]'}
        made.deploy(
            "worker", [sys.executable, str(PROGRAMS / "pod_worker.py"), "10"], variables=restart
        )
        made.wait_for(worker=1)
        yield made


@pytest.fixture
def as_account(shop: Namespace, tmp_path: Path) -> Callable[[str], str]:
    """Give the kubeconfig of an account."""

    def kubeconfig(name: str) -> str:
        with api() as made:
            token = client.CoreV1Api(made).create_namespaced_service_account_token(
                name, shop.name, {"spec": {}}
            )
        config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
        config["users"] = [{"name": "account", "user": {"token": token.status.token}}]
        for context in config["contexts"]:
            context["context"]["user"] = "account"
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(config))
        return str(path)

    return kubeconfig


def test_nobody_may_do_anything(shop: Namespace, as_account: Callable[[str], str]) -> None:
    """Without a Role the API server refuses, which is told; else the others would show nothing."""
    done = shop.rollout("status", "cm/shop", KUBECONFIG=as_account("nobody"))
    if done.status != 2:
        pytest.skip("this API server allows everything to everybody")
    assert "forbidden" in done.err


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_enough_and_no_more(
    shop: Namespace, as_account: Callable[[str], str], role: str
) -> None:
    """A command succeeds with its own Role and those above it, and is refused to those below."""
    account = as_account(role)

    def is_allowed(*arguments: Any) -> bool:
        done = shop.rollout(*arguments, "--timeout", "90s", KUBECONFIG=account)
        if done.status == 2:
            assert "forbidden" in done.err
        else:
            assert done.status == 0, done.out + done.err + shop.told()
        return done.status == 0

    manifest = shop.manifest(SHOP_POOL=str(2 + ROLES.index(role)))
    before = {pod.metadata.uid for pod in shop.pods()}
    allowed = {
        "status": role == "config-rollout-nudge" or is_allowed("status", "cm/shop"),
        "nudge": is_allowed("nudge", "cm/shop"),
        "rollout": is_allowed("cm/shop", "-f", manifest),
    }
    assert allowed == {
        "status": True,
        "nudge": role != "config-rollout-status",
        "rollout": role in ("config-rollout", "config-rollout-restart"),
    }
    assert {pod.metadata.uid for pod in shop.pods()} == before
    if allowed["rollout"]:
        assert is_allowed("cm/shop", "--restart") == (role == "config-rollout-restart")
