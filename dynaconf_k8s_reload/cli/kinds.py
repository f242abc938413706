"""What dynaconf makes of a text."""

from __future__ import annotations

from typing import Any

from dynaconf.utils.parse_conf import Lazy, MetaValue, boolean_fix, parse_conf_data

from .._source.content import Variable

FAILS = " fails"


def kind_of_variable(variable: Variable) -> str:
    """Name the type of the setting that a variable becomes."""
    if isinstance(variable.content, bytes):
        return "bytes"
    return "str" if variable.mount.secret else kind_of(variable.content)


def kind_of(text: str) -> str:
    """Name the type that dynaconf gives a text, or its token if that is evaluated later."""
    token = text.split(maxsplit=1)[0] if text.startswith("@") else ""
    try:
        value: Any = parse_conf_data(boolean_fix(text), tomlfy=True, box_settings={})
    except Exception:  # noqa: BLE001 -- because a token may raise anything at what it is given
        return f"{token}{FAILS}"
    if isinstance(value, (Lazy, MetaValue)):
        return token
    for plain in (dict, list):  # dynaconf has its own of these
        if isinstance(value, plain):
            return plain.__name__
    return type(value).__name__
