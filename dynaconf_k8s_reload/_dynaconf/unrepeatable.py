"""What code did that cannot be done again, and what becomes of it: it goes, or it stays as it was.

An application is told of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._model.changes import Change, Changes, flatten
from .._model.shown import escaped
from .generation import Attachment

SHORTEST = 3  # a shorter text is found in too many others
LARGEST = 10**100  # Python refuses to write numbers of thousands of digits


def lost(changes: Changes, published: Mapping[str, Any]) -> list[str]:
    """Give the settings that go although no source has dropped them: code set them, after loading.

    Args:
        changes: from one generation to the next.
        published: the values of the first as they were when it was published.
    """
    gone = (change.key for change in changes.values() if change.kind == "removed")
    return [key for key in gone if "." not in key and key not in published]


def outdated(changes: Changes, attachment: Attachment) -> list[str]:
    """Give the settings that code has set to a text with the former value of another in it.

    It has most likely been made of that value, as ``f"http://{settings.HOST}"`` is, and a process
    that starts now would make it anew.

    Args:
        changes: that led to this generation.
        attachment: of this generation.
    """
    texts = list(_set_by_code(attachment))
    former = [pair for change in changes.values() if (pair := _former(change))] if texts else []
    found = {
        name: shown
        for name, text in texts
        for shown, old, new in former
        if old in text and not (new and new in text) and _is_word(old, text)
    }
    return [f"{escaped(name)} (of {shown})" for name, shown in found.items()]


def _set_by_code(attachment: Attachment) -> Iterator[tuple[str, str]]:
    """Give the texts that code has set and that are served, each with the name of its setting."""
    put = dict(attachment.code)
    for operation in attachment.assembly:
        put.update(operation.puts)
    for key, value in put.items():
        path = str(key).replace("__", ".").split(".")
        for name, text in flatten({".".join([path[0].upper(), *path[1:]]): value}).items():
            if isinstance(text, str) and attachment.values.get(name) == text:
                yield path[0].upper(), text


def _former(change: Change) -> tuple[str, str, str] | None:
    """Give a changed setting's name, and its text before and now, if that can be recognised."""
    old, new = _text(change.old), _text(change.new)
    return None if len(old) < SHORTEST else (change.shown, old, new)


def _text(value: Any) -> str:
    """Give a text, or a number as one; nothing of what else there is."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number and abs(value) < LARGEST else ""


def _is_word(part: str, text: str) -> bool:
    """Tell whether a part of a text stands in it as whole words or numbers."""
    return re.search(rf"(?<![^\W_]){re.escape(part)}(?![^\W_])", text) is not None
