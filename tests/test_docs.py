"""What the documents show is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from dynaconf_k8s_reload import Mount
from dynaconf_k8s_reload.options import DEFAULT_PROTECTED, Options
from dynaconf_k8s_reload.testing import AtomicWriter

ROOT = Path(__file__).parent.parent
OPTIONS = (ROOT / "docs" / "options.md").read_text()


def test_each_option_is_documented() -> None:
    """The table of options names each, in the order of the code, with its default."""
    rows = re.findall(r"^\| `(k8s_\w+)` \| (.+?) \|", OPTIONS, re.MULTILINE)
    assert [name for name, _ in rows] == [field.name for field in fields(Options)]
    defaults = {field.name: field.default for field in fields(Options)}
    for name, shown in rows:
        if name == "k8s_mounts":  # Options.read adds the default, where there is a volume
            assert shown == '`["/config"]`'
        elif name == "k8s_protected":
            assert all(f"`{pattern}`" in OPTIONS for pattern in DEFAULT_PROTECTED)
        else:
            default = defaults[name]
            written = list(default) if isinstance(default, tuple) else default
            assert shown == f"`{written:g}`" if isinstance(default, float) else f"`{written}`"


def test_each_field_of_a_mount_is_documented() -> None:
    """The table of a mount's fields names each."""
    shown = re.findall(
        r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", OPTIONS.split("## A mount")[1], re.MULTILINE
    )
    assert re.findall(r"\w+", " ".join(shown)) == [field.name for field in fields(Mount)]


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


def test_links_within_the_documents_resolve() -> None:
    """Each relative link leads to a file that is there."""
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
