"""The mirror of ``os.environ``: who owns a variable, and what the process had before.

Nothing is written until `Mirror.apply`: a candidate is built against a `Plan`, which says what the
environment will be.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping, MutableMapping

from .._model.names import Names
from .._model.options import Options
from .._source.content import Payload, came_by_env_from
from .overlay import Environment, Plan
from .owners import Owner, Record, of_the_process, up_to_date, wanted
from .rules import Claims, Decision, decide


class Mirror:
    """Keeps the variables of the mounts in one environment, for every reloader of the process.

    An owner is a reloader, named by its key. Where several claim a name the last loaded wins, and
    the stopped ones yield to the others.

    Args:
        environ: the environment to write; the process's by default.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._owners: dict[int, Owner] = {}  # in the order of their first loads
        self._withdrawn: dict[int, Owner] = {}  # stopped, and their variables put back
        self._forgotten: deque[int] = deque()

    def plan(
        self, key: int, payload: Payload, options: Options, names: Names | None = None
    ) -> Plan:
        """Work out what publishing `payload` for an owner does, without doing it."""
        with self._lock:
            self._drop_forgotten()
            owner, terms = self._owner(key), (options, names)
            before = (owner.payload, owner.decision) if owner.terms == terms else None
            decision = decide(payload, options, names or Names(), self._process_value, before)
            claims = decision.claims
            records = self._records_with(owner, claims, payload)
            texts = self._wanted(key, claims, payload)
            moves = self._moves(owner, decision, records, texts)
            released = {name: move.left for name, move in moves.items() if claims.get(name) is None}
            environment = Environment(self._environ, self._provided(claims, moves), released)
            beneath = self._beneath(owner, environment, decision, payload, texts)
            differing = tuple(
                name
                for name, text in claims.items()
                if text is not None
                and name not in self._records
                and not any(each.mount.env_from is True for each in payload.provided(name))
                and self._environ.get(name, text) != text
            )
            return Plan(environment, beneath, decision, differing, terms)

    def beneath(self, key: int, plan: Plan, payload: Payload) -> dict[str, str]:
        """Give the variables beneath the mounts of an applied plan, as they are by now."""
        with self._lock:
            texts = self._wanted(key, plan.decision.claims)
            return self._beneath(self._owner(key), plan.environment, plan.decision, payload, texts)

    def apply(self, key: int, plan: Plan, payload: Payload) -> None:
        """Write what changed, in one go; names that the owner no longer provides are released."""
        with self._lock:
            claims = plan.decision.claims
            owner = self._owners.setdefault(key, self._owner(key))
            self._withdrawn.pop(key, None)
            self._records = self._records_with(owner, claims, payload)
            texts = self._wanted(key, claims, payload)
            moves = self._moves(owner, plan.decision, self._records, texts)
            owner.terms, owner.payload, owner.decision = plan.terms, payload, plan.decision
            owner.claims, owner.stopped = claims, False
            owner.ever.update(claims)
            self._move(moves)

    def rewritten(self, key: int) -> list[str]:
        """The variables of an owner that somebody else has written since, and that are left so."""
        with self._lock:
            return [
                name
                for name, text in self._owner(key).claims.items()
                if text is not None and self._environ.get(name) != self._records[name].left
            ]

    def stop(self, key: int, *, restore: bool = False) -> None:
        """Let the claims of an owner yield to every other's.

        Args:
            key: the reloader's key.
            restore: also put its variables back as they were before the mirror, except those
                that somebody else has written since.
        """
        with self._lock:
            owner = self._owner(key)
            owner.stopped = True
            if restore and key in self._owners:
                del self._owners[key]
                owner.claims = {}
                self._withdrawn[key] = owner
            texts = self._wanted()
            moves: dict[str, Record] = {}
            for name in owner.ever:
                record, text = self._records[name], texts.get(name)
                if text is not None and text != record.left:
                    moves[name] = record._replace(owned=True, left=text)
                elif text is None and restore:
                    value = self._environ.get(name)
                    if value == record.left:
                        moves[name] = record._replace(owned=False, left=record.before)
                    else:
                        moves[name] = of_the_process(value)
            self._move(moves)

    def forget(self, key: int) -> None:
        """Drop the claims of a reloader that no longer exists; its variables stay as they are.

        It takes no lock, since the garbage collector may call it at any point.
        """
        self._forgotten.append(key)

    def contested(self, key: int) -> dict[str, str]:
        """The names for which another live owner wants another text, each with its other source.

        From one source they will soon agree: the other is about to follow.
        """
        with self._lock:
            mine = self._owner(key)
            return {
                name: other.payload.variables[name].source
                for number, other in self._owners.items()
                if number != key and not other.stopped
                for name, text in other.claims.items()
                if None not in (text, mine.claims.get(name))
                and text != mine.claims[name]
                and other.payload.variables[name].source != mine.payload.variables[name].source
            }

    def renew_lock(self) -> None:
        """Replace the lock in a forked child: a thread that stayed behind may hold it."""
        self._lock = threading.RLock()

    def _owner(self, key: int) -> Owner:
        return self._owners.get(key) or self._withdrawn.get(key) or Owner()

    def _drop_forgotten(self) -> None:
        while self._forgotten:
            key = self._forgotten.popleft()
            self._owners.pop(key, None)
            self._withdrawn.pop(key, None)

    def _process_value(self, name: str) -> str | None:
        """Give a variable as the process has it without our own writes."""
        value, record = self._environ.get(name), self._records.get(name)
        return record.before if record is not None and value == record.left else value

    def _wanted(
        self, newest: int | None = None, claims: Claims | None = None, read: Payload | None = None
    ) -> dict[str, str]:
        """The text of every variable by the claims of all owners, the winner's last.

        Args:
            newest: the owner whose claims are `claims` from now on.
            claims: these claims.
            read: what has just been read; what others claim from before it is left out.
        """
        ranked: list[tuple[bool, Claims]] = []
        for key, owner in self._owners.items():
            theirs = owner.claims
            if key == newest:
                theirs = claims or {}
            elif read is not None:
                theirs = up_to_date(theirs, owner.payload, read)
            ranked.append((key == newest or not owner.stopped, theirs))
        if newest not in self._owners:
            ranked.append((True, claims or {}))
        return wanted(theirs for _, theirs in sorted(ranked, key=lambda rank: rank[0]))

    def _records_with(self, owner: Owner, claims: Claims, payload: Payload) -> dict[str, Record]:
        """Add records of the names that are new, or new again and written by others since."""
        records = self._records.copy()
        for name in set(claims).difference(*(each.claims for each in self._owners.values())):
            value, record = self._environ.get(name), records.get(name)
            kept = record is not None and (record.owned or name in owner.ever)
            if record is None or not kept or value != record.left:
                own = came_by_env_from(payload.provided(name), value)
                records[name] = Record(value, None if own else value, value)
        return records

    def _moves(
        self,
        owner: Owner,
        decision: Decision,
        records: Mapping[str, Record],
        texts: Mapping[str, str],
    ) -> dict[str, Record]:
        """Give the records of the names whose owner or value changes, as they will be."""
        moves: dict[str, Record] = {}
        for name in {**owner.claims, **decision.claims, **decision.shadowed}:
            record, text = records.get(name), texts.get(name)
            if record is None:
                continue  # shadowed from the start
            if text is not None:
                if not record.owned or text != record.left:
                    moves[name] = record._replace(owned=True, left=text)
            elif name in decision.shadowed:
                moves[name] = of_the_process(decision.shadowed[name])
            elif record.owned:
                moves[name] = record._replace(owned=False, left=record.restore)
        return moves

    def _provided(self, claims: Claims, moves: Mapping[str, Record]) -> dict[str, str]:
        """Give the variables that are mirrored, as they will be."""
        provided: dict[str, str] = {}
        for name, text in claims.items():
            if text is not None:
                value = moves[name].left if name in moves else self._environ.get(name)
                if value is not None:  # unless the application has removed it
                    provided[name] = value
        return provided

    def _beneath(
        self,
        owner: Owner,
        environment: Environment,
        decision: Decision,
        payload: Payload,
        texts: Mapping[str, str],
    ) -> dict[str, str]:
        """Take the mounts' names out of an environment, and what stayed there of gone ones."""
        beneath = environment.as_dict(without=decision.claims.keys() | decision.shadowed.keys())
        for name, record in self._records.items():
            if name in payload.variables or not (name in owner.ever or record.owned):
                continue
            if beneath.get(name) == record.left and name not in texts:
                _put(beneath, name, record.restore)
        return beneath

    def _move(self, moves: Mapping[str, Record]) -> None:
        """Write variables, and last, in one go, those that move the C array."""
        self._records.update(moves)
        resizing: list[tuple[str, str | None]] = []
        for name, record in moves.items():
            now, value = self._environ.get(name), record.left
            if value is None or now is None:
                resizing.append((name, value))
            elif now != value:
                self._environ[name] = value
        for name, value in resizing:
            _put(self._environ, name, value)


def _put(mapping: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value


MIRROR = Mirror()
