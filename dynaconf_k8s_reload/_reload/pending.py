"""What a process was started with, compared with what the mounts hold now: names and kinds only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .. import _dynaconf


def told_pending(settings: Any) -> str:
    """Give what `pending` gives as lines for a screen; if that is nothing, say so."""
    lines = [f"{kind:16}  {name}" for name, kind in pending(settings).items()]
    return "\n".join(lines) or "The mounts hold what the environment has."


def pending(settings: Any, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Compare a process's variables with those that the mounts provide.

    Args:
        settings: a settings object that follows mounts.
        environ: the variables, without what the mirror has written.

    Returns:
        Variable name to ``"added"`` (a mount has it, the process had not), ``"modified"`` or
        ``"environment only"``: it carries the application's prefix and no mount has it, because it
        was deleted there or is set elsewhere. Sorted by name.
    """
    live = _dynaconf.unwrap(settings)
    attachment = _dynaconf.attached(live)
    found: dict[str, str] = {}
    for name, text in attachment.generation.plan.decision.claims.items():
        if text is not None and environ.get(name) != text:
            found[name] = "modified" if name in environ else "added"
    names = _dynaconf.names(live)
    for name in environ:
        is_own = name.startswith(names.own) and not names.is_reserved(name)
        if is_own and name not in attachment.generation.payload.variables:
            found[name] = "environment only"
    return dict(sorted(found.items()))
