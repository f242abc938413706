"""The recipes for libraries, each with a real connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs_site import DOCS, Page


def test_the_recipes_for_clients_and_certificates_run(tmp_path: Path) -> None:
    """Engines, pools, clients and certificates are exchanged while requests run; none fails."""
    page = Page.read(DOCS / "clients.md")
    for module in page.needs:
        pytest.importorskip(module, reason=f"{module} is not installed")
    page.run(tmp_path)
