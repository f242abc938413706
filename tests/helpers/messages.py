"""What the package says: the message templates of its errors, log lines and findings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dynaconf_k8s_reload

PACKAGE = Path(dynaconf_k8s_reload.__file__).parent
ERRORS = {"ConfigError", "MountError", "ReloadRejected", "CannotRunError", "ManifestError"}
LOGGED = {"debug", "info", "warning", "error", "_failed"}
WARNED = "_warn"  # of names: its messages for one and for several stand third and fourth
CHECKS = {"Error", "Warning"}  # Django's
SHORTEST = 8  # letters by which a person could find a message
# Clauses that are put together from shorter texts.
ASSEMBLED = {
    "No inotify instance is left",
    "No inotify watch is left",
    "has no settings objects",
    "has several settings objects",
    "take it out of the list",
    "write FlaskDynaconf",
    "write one of",
}


class Template(NamedTuple):
    """A message: where it is made, and the longest part of it that is always the same."""

    place: str
    constant: str


def templates() -> Iterator[Template]:
    """Give all of them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for message in _messages(node):
                constant = max(_parts(message), key=len, default="").strip(" ;:,.")
                if len(constant) >= SHORTEST:
                    place = f"{path.relative_to(PACKAGE)}:{message.lineno}"
                    yield Template(place, constant)


def said() -> str:
    """Give every text of the package, with ``…`` in its gaps."""
    texts: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    each.value if isinstance(each, ast.Constant) else "…" for each in node.values
                )
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(" ".join(text.split()) for text in texts)


def clauses(shown: str) -> list[str]:
    """Give what a message says in words: code, such as a name with a dot, and ``…`` are gaps."""
    parts = re.split(r"…|[;,:()]|\S*[._=/\[]\S*", shown)
    return [clause for part in parts if len(clause := part.strip()) >= SHORTEST]


def _messages(node: ast.AST) -> list[ast.expr]:
    """Give the expressions of the messages that are made here."""
    if not isinstance(node, ast.Call) or not node.args:
        return []
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name in ERRORS | LOGGED | CHECKS:
        return node.args[:1]
    if name == WARNED:
        return node.args[2:4]
    return node.args[2:3] if name == "Finding" else []  # its title


def _parts(message: ast.expr) -> Iterator[str]:
    """Give the constant parts of a message, in which a ``%s`` or ``{}`` is a gap."""
    pieces = message.values if isinstance(message, ast.JoinedStr) else [message]
    for piece in pieces:
        if isinstance(piece, ast.BinOp):
            yield from _parts(piece.left)
            yield from _parts(piece.right)
        elif isinstance(piece, ast.Constant) and isinstance(piece.value, str):
            for line in re.split(r"%(?:\(\w+\))?[sd]", piece.value):
                yield " ".join(line.split())
