"""What the package says: the message templates of its errors, log lines and findings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dynaconf_k8s_reload

PACKAGE = Path(dynaconf_k8s_reload.__file__).parent
ERRORS = {"ConfigError", "MountError", "ReloadRejected", "CannotRunError", "ManifestError"}
LOGGED = {"debug", "info", "warning", "error", "once", "warn_once", "_failed"}
CHECKS = {"Error", "Warning"}  # Django's
SHORTEST = 8  # letters by which a person could find a message


class Template(NamedTuple):
    """A message: where it is made, and the longest part of it that is always the same."""

    place: str
    constant: str


def templates() -> Iterator[Template]:
    """Give all of them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            message = _message(node)
            if message is not None:
                constant = max(_parts(message), key=len, default="").strip(" ;:,.")
                if len(constant) >= SHORTEST:
                    place = f"{path.relative_to(PACKAGE)}:{message.lineno}"
                    yield Template(place, constant)


def _message(node: ast.AST) -> ast.expr | None:
    """Give the expression of a message, if it is one that is made here."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name in ERRORS | LOGGED | CHECKS:
        return node.args[0]
    return node.args[2] if name == "Finding" else None  # its title


def _parts(message: ast.expr) -> Iterator[str]:
    """Give the constant parts of a message, in which a ``%s`` or ``{}`` is a gap."""
    pieces = message.values if isinstance(message, ast.JoinedStr) else [message]
    for piece in pieces:
        if isinstance(piece, ast.BinOp):
            yield from _parts(piece.left)
            yield from _parts(piece.right)
        elif isinstance(piece, ast.Constant) and isinstance(piece.value, str):
            for line in piece.value.replace("%d", "%s").split("%s"):
                yield " ".join(line.split())
