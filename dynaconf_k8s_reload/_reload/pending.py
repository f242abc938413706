"""What a process was started with, compared with what the mounts hold now: names and kinds only."""

from __future__ import annotations

import os
from typing import Any

from .. import _dynaconf


def told_pending(settings: Any) -> str:
    """Give the differences as lines for a screen; if there are none, say so.

    Args:
        settings: a settings object that follows mounts, whose mirror has been put back.
    """
    lines = [f"{kind:16}  {name}" for name, kind in _pending(settings).items()]
    return "\n".join(lines) or "The mounts hold what the environment has."


def _pending(settings: Any) -> dict[str, str]:
    """Compare the process's variables with those that the mounts provide.

    Returns:
        Variable name to ``"added"`` (a mount has it, the process had not), ``"modified"`` or
        ``"environment only"``: it carries the application's prefix and no mount has it, because it
        was deleted there or is set elsewhere. Sorted by name.
    """
    live = _dynaconf.unwrap(settings)
    attachment = _dynaconf.attached(live)
    found: dict[str, str] = {}
    for name, text in attachment.generation.plan.decision.claims.items():
        if text is not None and os.environ.get(name) != text:
            found[name] = "modified" if name in os.environ else "added"
    names = _dynaconf.names(live)
    for name in os.environ:
        is_own = name.startswith(names.own) and not names.is_reserved(name)
        if is_own and name not in attachment.generation.payload.variables:
            found[name] = "environment only"
    return dict(sorted(found.items()))
