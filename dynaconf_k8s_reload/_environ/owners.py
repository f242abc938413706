"""What is known of each variable and each owner of one environment, and whose claim wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from .._model.record import record
from .._source.content import Payload, Variable
from .._source.snapshot import Snapshot
from .rules import Claims, Decision


class Record:
    """What is known of a name that a mount provides or provided; never changed once made.

    It is not a tuple, since what shows an error's frames shows each item of one.

    Attributes:
        before: its value in the process when a mount first provided it, ``None`` if unset.
        restore: what shows again when the mounts stop providing it; ``None`` for nothing.
        left: how the mirror leaves the variable; another value is somebody else's write.
        owned: the mirror's value is in force; otherwise the variable is the process's own.
    """

    __slots__ = ("before", "left", "owned", "restore")  # there is one of each key

    def __init__(
        self, before: str | None, restore: str | None, left: str | None, *, owned: bool = False
    ) -> None:
        self.before = before
        self.restore = restore
        self.left = left
        self.owned = owned

    def __repr__(self) -> str:
        return f"<Record, {'mirrored' if self.owned else 'of the process'}>"

    def leaving(self, left: str | None, *, owned: bool) -> Record:
        """Give the record of the same name, its variable left otherwise."""
        # Not by the constructor, which takes twice as long: a reload may make thousands.
        record: Record = Record.__new__(Record)
        record.before, record.restore = self.before, self.restore
        record.left, record.owned = left, owned
        return record


_NOTHING_READ = Payload()  # made once: it hashes what it holds
_NOTHING_DECIDED = Decision()


@record
class Owner:
    """What one reloader has had mirrored.

    Attributes:
        terms: the options and names by which `decision` was made.
        payload: what was mirrored last.
        decision: what became of its names.
        ever: what its mounts provide or provided.
        claims: the names it claims.
        stopped: its claims yield to every other's.
    """

    terms: object = None
    payload: Payload = _NOTHING_READ
    decision: Decision = _NOTHING_DECIDED
    ever: set[str] = field(default_factory=set)
    claims: Claims = field(default_factory=dict)
    stopped: bool = False

    def publishing(self, terms: object, payload: Payload, decision: Decision) -> Owner:
        """Give what is known of the same owner once this is mirrored."""
        return Owner(terms, payload, decision, self.ever.union(decision.claims), decision.claims)

    def __repr__(self) -> str:
        return f"<Owner of {len(self.claims)} names>"


def of_the_process(value: str | None) -> Record:
    """Leave a variable to the process, whose value it is from now on."""
    return Record(value, value, value)


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
