"""What the documents show as programs runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs_site import PAGES, ROOT, Page
from dynaconf_k8s_reload.testing import AtomicWriter

BY_THE_PLUGIN = {"testing.md"}  # whose blocks are tests, which test_pytest_plugin.py runs


@pytest.mark.parametrize("document", ["README.md"])
def test_shown_code_runs(document: str, volume: AtomicWriter) -> None:
    """The code blocks of a document run as they stand, one after another."""
    volume.write({"MYAPP_POOL_SIZE": "3", "LOG_LEVEL": "INFO"})
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    program = "\n".join(blocks).replace("/config", str(volume.directory))
    check = 'assert settings.POOL_SIZE == 3 and os.environ["MYAPP_POOL_SIZE"] == "3"'
    subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\n{check}"],
        check=True,
        timeout=60,
        env={**os.environ, "MYAPP_POOL_SIZE": "3"},
    )


@pytest.mark.parametrize(
    "path",
    [page for page in PAGES if Page.read(page).program and page.name not in BY_THE_PLUGIN],
    ids=lambda path: path.stem,
)
def test_the_program_of_a_page_runs(path: Path, tmp_path: Path) -> None:
    """What a page shows as Python runs as it stands, without a warning, and does what it says."""
    page = Page.read(path)
    for module in page.needs:
        pytest.importorskip(module, reason=f"{module} is not installed")
    page.run(tmp_path)


def test_no_block_of_python_is_left_out() -> None:
    """Each block of a page is part of its program or one of its files."""
    for path in PAGES:
        page = Page.read(path)
        blocks = len(re.findall(r"^```python$", path.read_text(), re.MULTILINE))
        shown = sum(1 for name in page.files if name.endswith(".py"))
        hidden = len(re.findall(r"^<!-- after$", path.read_text(), re.MULTILINE))
        assert shown + len(page.parts) - hidden == blocks, path.name
