"""What several owners claim of one environment: who wins, and whose claim is out of date."""

from __future__ import annotations

from collections.abc import Iterable

from .._source.content import Payload, Variable
from .._source.mounts import Snapshot
from .rules import Claims

__all__ = ["up_to_date", "wanted"]


def wanted(ranked: Iterable[Claims]) -> dict[str, str]:
    """Give the text that the winner wants of each variable that anybody wants.

    Args:
        ranked: the claims of each owner, the winner's last.
    """
    texts: dict[str, str] = {}
    for claims in ranked:
        texts.update({name: text for name, text in claims.items() if text is not None})
    return texts


def up_to_date(claims: Claims, theirs: Payload, ours: Payload) -> Claims:
    """Leave out of another owner's claims what a mount that we have read since has otherwise.

    It is about to give that up.

    Args:
        claims: the other owner's.
        theirs: the payload that they are of.
        ours: what has been read now.
    """
    read = {snapshot.mount.path: snapshot for snapshot in ours.snapshots}
    older = {
        before.mount.path: read[before.mount.path]
        for before in theirs.snapshots
        if before.mount.path in read
        and before.token != read[before.mount.path].token
        and (before.committed_at or 0) <= (read[before.mount.path].committed_at or 0)
    }
    if not older:
        return claims
    return {
        name: text
        for name, text in claims.items()
        if not _outdated(theirs.variables[name], older.get(theirs.variables[name].mount.path))
    }


def _outdated(variable: Variable, now: Snapshot | None) -> bool:
    if now is None or not now.mount.takes(variable.key):
        return False
    content = variable.content
    before = content if isinstance(content, bytes) else content.encode()
    return now.files.get(variable.key) != before
