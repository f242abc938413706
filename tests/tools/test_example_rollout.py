"""The Roles that the examples give to who rolls out."""

from __future__ import annotations

from typing import Any

import pytest

from docs_site import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
ROLES = list(yaml.safe_load_all((ROOT / "examples/rollout/rbac.yaml").read_text()))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role["metadata"]["name"])
def test_each_role_is_valid(role: Any) -> None:
    """Against Kubernetes' own schema."""
    validate = pytest.importorskip("kubernetes_validate", reason="it is not installed")
    validate.validate(role, validate.utils.latest_version(), strict=True)


def test_only_the_largest_may_restart() -> None:
    """To look changes nothing; workloads are patched by the role for restarts alone."""
    rights = {
        role["metadata"]["name"]: {
            (resource, verb)
            for rule in role["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        for role in ROLES
    }
    assert {verb for resource, verb in rights["config-rollout-status"] if "/" not in resource} == {
        "get",
        "list",
    }
    assert [name for name, has in rights.items() if ("deployments", "patch") in has] == [
        "config-rollout-restart"
    ]
    assert rights["config-rollout"] < rights["config-rollout-restart"]
    assert not any("secrets" in resource for has in rights.values() for resource, _ in has)
