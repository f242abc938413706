"""What the documents show as programs and sessions runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from docs_site import DOCS, PAGES, ROOT, Page, environment
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import free_port
from support import eventually

BY_THE_PLUGIN = {"testing.md"}  # whose blocks are tests, which test_pytest_plugin.py runs
FRAMEWORKS = {
    "tutorial-flask": ["flask"],
    "tutorial-django": ["django"],
    "tutorial-fastapi": ["fastapi", "uvicorn"],
}
LOCAL_TUTORIALS = ["start", *(pytest.param(name, marks=pytest.mark.heavy) for name in FRAMEWORKS)]
# A test is in a directory of its own, with all that it needs installed, and waits for conditions.
SETTING_UP = ("mkdir ", "python3 -m venv ", ". .venv/", "python -m pip install ", "sleep ")
COMMANDS = """
set -m
python() { "$PYTHON" "$@"; }
flask() { python -m flask "$@"; }
uvicorn() { python -m uvicorn "$@"; }
dynaconf-k8s-reload() { python -m dynaconf_k8s_reload "$@"; }
"""


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


@pytest.mark.parametrize("name", LOCAL_TUTORIALS)
def test_a_tutorial_leads_to_its_result(name: str, tmp_path: Path) -> None:
    """Typed line by line in an empty directory, its steps print what the page shows."""
    for module in ("click", *FRAMEWORKS.get(name, ())):
        pytest.importorskip(module, reason=f"{module} is not installed")
    path = DOCS / f"{name}.md"
    Page.read(path).write(tmp_path)
    screen = tmp_path / "screen"
    with (
        free_port() as port,
        screen.open("w") as output,
        subprocess.Popen(
            ["bash"],
            cwd=tmp_path,
            env=environment() | {"PYTHON": sys.executable},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        ) as shell,
    ):
        assert shell.stdin
        try:
            shell.stdin.write(COMMANDS)
            for number, (command, shown) in enumerate(_session(_with_port(path.read_text(), port))):
                shell.stdin.write(
                    f"{_typed(command, shown)}\n[[ $? == 0 ]] && echo done {number}\n"
                )
                shell.stdin.flush()
                for line in (*shown, f"done {number}"):
                    _wait_for(line, screen)
        finally:
            shell.stdin.write("kill %1\n")
            shell.stdin.close()


def _with_port(text: str, port: int) -> str:
    """Put another port in the place of the one that the page's server listens on."""
    return re.sub(r"\b(5000|8000)\b", str(port), text)


def _typed(command: str, shown: list[str]) -> str:
    """Give what is typed; somebody who asks a server too soon asks it again."""
    if not command.startswith("curl "):
        return command
    answer = shlex.quote(shown[0]) if shown else '""'
    return (
        f"until [[ $({command} --silent --max-time 20) == *{answer}* ]]; do sleep 0.1; done\n"
        f"{command} --silent; echo"
    )


def _wait_for(line: str, screen: Path) -> None:
    """Wait until a line is on the screen."""
    eventually(
        lambda: line in screen.read_text().splitlines(), seconds=90, else_show=screen.read_text
    )


def _session(text: str) -> list[tuple[str, list[str]]]:
    """Give each command that a page has somebody type, and the lines that it then shows."""
    typed: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                typed.append((line[2:], []))
            else:
                typed[-1][1].append(line)
    return [each for each in typed if not each[0].startswith(SETTING_UP)]
