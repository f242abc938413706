"""A newcomer's path: README.md followed to the letter, in an empty directory.

Only the mount's path is another one, since nobody but root can make ``/config``.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

import dynaconf_k8s_reload
from dynaconf_k8s_reload.cli import cli
from support import eventually

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ELSEWHERE = {"cd", "curl", "docker", "git", "kubectl"}  # of a cluster or of another directory
NAME = "dynaconf-k8s-reload"
APPLY = (sys.executable, "-m", "dynaconf_k8s_reload", "apply", "-f")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def use() -> str:
    """Give the section "Use"."""
    found = re.search(r"^## Use\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found, 'README.md has no section "## Use"'
    return found[1]


def commands() -> list[list[str]]:
    """Give the words of each command that is shown, without variables before it."""
    lines = [line for block in blocks("console") for line in re.findall(r"^\$ (.+)$", block, re.M)]  # noqa: FURB167 -- because it fits on the line
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[next(i for i, word in enumerate(words) if "=" not in word) :] for words in split]


def is_pip(words: list[str]) -> bool:
    return words[0] == "pip" or words[:3] == ["python", "-m", "pip"]


def shown_expressions(code: str) -> list[str]:
    """Give what the code looks at: its expressions that are no calls, or are printed."""
    lines = [line.value for line in ast.parse(code).body if isinstance(line, ast.Expr)]
    looked_at = [
        each
        for line in lines
        for each in (line.args if isinstance(line, ast.Call) and is_print(line) else [line])
        if isinstance(each, ast.Attribute | ast.Subscript)
    ]
    return [ast.unparse(each) for each in looked_at]


def is_print(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "print"


def config_map(variable: str) -> dict[str, object]:
    """Give the ConfigMap that README.md shows, or one with the variable of its code."""
    for block in blocks("yaml"):
        for document in yaml.safe_load_all(block):
            if isinstance(document, dict) and document.get("kind") == "ConfigMap":
                assert variable in document["data"]
                return document
    metadata = {"name": "myapp"}
    return dict(apiVersion="v1", kind="ConfigMap", metadata=metadata, data={variable: "3"})  # noqa: C408 -- because it fits on the line


class Session:
    """A Python that has run ``app.py`` and answers what is typed."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process = process
        self.errors = errors

    def value(self, expression: str) -> str:
        """Give an expression's value as it is printed, or the error."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"print({expression})\nprint('', 'asked')\n")
        self.process.stdin.flush()
        answer = takewhile(lambda line: line != " asked\n", self.process.stdout)
        return "".join(answer).strip() or self.errors.read_text()


@contextmanager
def session(directory: Path, environ: dict[str, str]) -> Iterator[Session]:
    """Run ``app.py`` of a directory, and go on with what is typed."""
    errors = directory.with_name("errors")
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-q", "-i", "app.py"],
            cwd=directory,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with process:
        try:
            yield Session(process, errors)
            assert process.stdin
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert "Traceback" not in errors.read_text(), errors.read_text()


def test_the_code_shown_follows(tmp_path: Path) -> None:
    """The code of "Use", saved as app.py, shows the mounted values, and then the edited ones."""
    code = blocks("python", use())
    assert code, "the section shows no code"
    assert re.search(r"^settings = ", code[0], re.MULTILINE), "the first block makes no settings"
    expressions = shown_expressions(code[0])
    assert any(each.startswith("settings") for each in expressions)
    (variable,) = {
        name for each in expressions for name in re.findall(r"^os\.environ\['(\w+)'\]$", each)
    }

    empty, mount, manifest = tmp_path / "empty", tmp_path / "config", tmp_path / "configmap.yaml"
    empty.mkdir()
    (empty / "app.py").write_text("\n\n".join(code).replace("/config", str(mount)))
    shown = config_map(variable)
    data = shown["data"]
    assert isinstance(data, dict)
    environ = {
        **os.environ,
        **data,
        "K8S_MOUNTS_FOR_DYNACONF": f'["{mount}"]',  # where the code leaves the default
        "PYTHONPATH": str(Path(dynaconf_k8s_reload.__file__).parents[1]),
    }

    def apply() -> None:
        manifest.write_text(yaml.safe_dump(shown))
        subprocess.run([*APPLY, manifest, mount], env=environ, check=True, timeout=60)

    apply()
    before = data[variable]
    with session(empty, environ) as python:
        assert [python.value(each) for each in expressions] == [before] * len(expressions)
        data[variable] = after = str(int(before) + 4) if before.isdecimal() else f"NEW_{before}"
        apply()
        for each in expressions:
            eventually(lambda each=each: python.value(each) == after, 60)  # type: ignore[misc] # reason: a default binds the loop's value
        print(f"{', '.join(expressions)}: {before}, then {after}")


@pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="outside tox nothing is installed")
def test_the_install_lines_ask_for_what_is_built() -> None:
    """pip takes each for done, where the built wheel and the extras' packages are installed."""
    installs = [words for words in commands() if is_pip(words)]
    assert any(word.startswith(NAME) for words in installs for word in words)
    for words in installs:
        command = [sys.executable, "-m", "pip", *words[words.index("install") :], "--no-index"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert f"Requirement already satisfied: {NAME}" in done.stdout
        assert "Successfully installed" not in done.stdout


def test_each_command_shown_is_there() -> None:
    """A script of the checkout can be started, a command of ours exists, no other is left out."""
    shown = commands()
    assert shown
    for words in shown:
        if words[0].startswith("./"):
            assert os.access(ROOT / words[0], os.X_OK), words
        elif words[0] == NAME:
            assert words[1] in cli.commands, words
        elif words[0] in ELSEWHERE:
            print(f"not run: {shlex.join(words)}")
        else:
            assert is_pip(words) or words == ["python", "app.py"], f"what is {words}?"
