"""The pages of the documentation, and the programs that are in them.

What a page shows as Python is one program, run from top to bottom. A comment, which a reader does
not see, adds what the program needs: ``<!-- before`` what comes before all of it, ``<!-- after``
what follows at that place, such as an edit of the ConfigMap and what must then be so. A block after
a line with only a name and a colon is a file of that name. ``<!-- needs NAME -->`` says what must
be installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dynaconf_k8s_reload

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SECONDS = 240.0

_PART = re.compile(
    r"^<!-- (?P<hidden>before|after)\n(?P<code>.*?)^-->"
    r"|^(?:`(?P<file>[\w./-]+)`:\n\n```\w+|```python)\n(?P<shown>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Page:
    """A page: its files by name, its program in parts, and what that needs."""

    files: dict[str, str]
    before: str
    parts: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def program(self) -> str:
        """All of it; empty where the page shows none."""
        return "\n".join([self.before, *self.parts]) if self.parts else ""

    @classmethod
    def read(cls, path: Path) -> Page:
        """Take a page apart."""
        text = path.read_text()
        files: dict[str, str] = {}
        before: list[str] = []
        parts: list[str] = []
        for part in _PART.finditer(text):
            if part["file"]:
                files[part["file"]] = part["shown"]
            elif part["hidden"] == "before":
                before.append(part["code"])
            else:
                parts.append(part["shown"] or part["code"])
        needs = tuple(re.findall(r"^<!-- needs ([\w.]+) -->", text, re.MULTILINE))
        return cls(files, "\n".join(before), tuple(parts), needs)

    def run(self, directory: Path) -> None:
        """Run the program in a process of its own, `/config` and its like being in `directory`.

        Raises:
            subprocess.CalledProcessError: it failed, or a warning was given.
        """
        self.write(directory)
        (directory / "page.py").write_text(_placed(self.program, directory))
        subprocess.run(
            [sys.executable, "-W", "error", "page.py"],
            cwd=directory,
            env=environment(),
            check=True,
            timeout=SECONDS,
        )

    def write(self, directory: Path) -> None:
        """Write the page's files."""
        for name, text in self.files.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_placed(text, directory))


def environment() -> dict[str, str]:
    """Give the variables of a process that finds this package and the tests' helpers."""
    package = Path(dynaconf_k8s_reload.__file__).parents[1]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), str(ROOT / "tests" / "helpers")]),
    }


def _placed(text: str, directory: Path) -> str:
    """Put the directories of a container in a directory of the test."""
    return re.sub(r"(?<![-\w])/(config|secrets|cache)\b", rf"{directory}/\1", text)
