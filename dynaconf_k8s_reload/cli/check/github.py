"""Findings as annotations of a workflow on GitHub, at the line of the manifest where there is one.

See https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..findings import Finding

WORKSPACE = "GITHUB_WORKSPACE"  # the variable that names the root of the repository
LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def annotation(finding: Finding, files: Sequence[str]) -> str:
    """Make the workflow command of a finding.

    Args:
        finding: what was found.
        files: the manifests in which its keys may stand.
    """
    properties = {"title": finding.title, **_place(finding.keys, files)}
    listed = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in properties.items())
    text = _escaped(f"{finding.where()}\n{finding.remedy}")
    return f"::{LEVELS[finding.severity]} {listed}::{text}"


def _place(keys: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Find the line of a manifest on which one of the keys begins; a setting's has a prefix."""
    names = "|".join(re.escape(key.replace(".", "__")) for key in keys)
    names += "".join(f"|{re.escape(key)}" for key in keys if "." in key)
    line_of = re.compile(rf"""\s*[\[{{,]?\s*["']?(\w*_)?({names})["']?\s*:""", re.IGNORECASE)
    for file in files if names else ():
        with open(file, encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if line_of.match(line):
                    return {"file": _in_repository(file), "line": str(number)}
    return {}


def _in_repository(file: str) -> str:
    """Give a file's path from the root of the repository, where GitHub looks for it."""
    root = os.path.realpath(os.environ.get(WORKSPACE) or os.getcwd())
    path = os.path.relpath(os.path.realpath(file), root)
    return file if path.split(os.sep)[0] == os.pardir else path


def _escaped(text: str, more: str = "") -> str:
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
