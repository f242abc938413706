"""Each manifest that a document shows or an example ships is valid by Kubernetes' own schemas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs_site import PAGES, ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
validate = pytest.importorskip("kubernetes_validate", reason="it is not installed")

READMES = sorted((ROOT / "examples").glob("*/README.md"))
# These belong to other programs, which have schemas of their own.
OTHERS = {"configMapGenerator", "jobs", "rule_files", "services"}  # their first keys
CUSTOM = {"PrometheusRule", "ServiceMonitor"}  # of the Prometheus operator


def documents(path: Path) -> list[Any]:
    """Give the YAML documents of a file, or of a page's blocks."""
    text = path.read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    texts = blocks if path.suffix == ".md" else [text]
    return [document for each in texts for document in yaml.safe_load_all(each)]


SHOWN = [
    pytest.param(document, id=f"{path.relative_to(ROOT)}-{number}")
    for path in [*PAGES, *READMES, *sorted((ROOT / "examples").glob("*/*.yaml"))]
    for number, document in enumerate(documents(path))
    if not OTHERS & document.keys() and document.get("kind") not in CUSTOM
]


def whole(shown: Any) -> Any:
    """Give the object that a part of one belongs to: a container's fields, or a pod's ``spec``."""
    if "kind" in shown:
        return shown
    spec = shown.get("spec", {"containers": [{"name": "shown", **shown}]})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shown"}, "spec": spec}


@pytest.mark.parametrize("shown", SHOWN)
def test_it_is_valid(shown: Any) -> None:
    """It has no field that Kubernetes does not know, and none that is wrong."""
    validate.validate(whole(shown), validate.utils.latest_version(), strict=True)


def test_a_wrong_one_is_found() -> None:
    """A field of a container that there is not."""
    with pytest.raises(validate.ValidationError):
        validate.validate(
            whole({"livenessprobe": {}}), validate.utils.latest_version(), strict=True
        )
