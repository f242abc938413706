"""The mirror of ``os.environ``: who owns a variable, and what the process had before.

Nothing is written until `Mirror.apply`: a candidate is built against a `Plan`, which says what the
environment will be.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping, MutableMapping

from .._model.options import Options
from .._source.content import Payload, Variable, came_by_env_from
from .claims import up_to_date, wanted
from .known import Known, Record
from .rules import Claims, Decision, Environment, Plan, decide

__all__ = ["MIRROR", "Mirror"]


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
        self._known = Known({}, {})
        self._claims: dict[int, Claims] = {}  # by owner, in the order of their first loads
        self._sources: dict[int, Mapping[str, Variable]] = {}
        self._decided: dict[int, tuple[object, Payload, Decision]] = {}
        self._stopped: set[int] = set()
        self._forgotten: deque[int] = deque()
        self._ever: dict[int, set[str]] = {}  # what each owner's mounts provide or provided

    def plan(self, owner: int, payload: Payload, options: Options, prefix: object = None) -> Plan:
        """Work out what publishing `payload` for `owner` does, without doing it."""
        with self._lock:
            self._drop_forgotten()
            held = self._decided.get(owner)
            before = held[1:] if held is not None and held[0] == (options, prefix) else None
            decision = decide(payload, options, prefix, self._process_value, before)
            claims = decision.claims
            known = self._known_with(owner, claims, payload)
            texts = self._wanted({owner: claims}, payload)
            moves = self._moves(owner, decision, known, texts).left
            released = {name: left for name, left in moves.items() if claims.get(name) is None}
            environment = Environment(self._environ, self._provided(claims, moves), released)
            beneath = self._beneath(owner, environment, decision, payload, texts)
            differing = tuple(
                name
                for name, text in claims.items()
                if text is not None
                and name not in self._known.records
                and not any(each.mount.env_from is True for each in payload.provided(name))
                and self._environ.get(name, text) != text
            )
            return Plan(environment, beneath, decision, differing, (options, prefix))

    def beneath(self, owner: int, plan: Plan, payload: Payload) -> dict[str, str]:
        """Give the variables beneath the mounts of an applied plan, as they are by now."""
        with self._lock:
            texts = self._wanted({owner: plan.decision.claims})
            return self._beneath(owner, plan.environment, plan.decision, payload, texts)

    def apply(self, owner: int, plan: Plan, payload: Payload) -> None:
        """Write what changed, in one go; names that the owner no longer provides are released."""
        with self._lock:
            claims = plan.decision.claims
            self._known = self._known_with(owner, claims, payload)
            texts = self._wanted({owner: claims}, payload)
            moves = self._moves(owner, plan.decision, self._known, texts)
            self._claims[owner] = claims
            self._sources[owner] = payload.variables
            self._decided[owner] = (plan.terms, payload, plan.decision)
            self._ever.setdefault(owner, set()).update(claims)
            self._stopped.discard(owner)
            self._move(moves)

    def rewritten(self, owner: int) -> list[str]:
        """The variables of an owner that somebody else has written since, and that are left so."""
        with self._lock:
            return [
                name
                for name, text in self._claims.get(owner, {}).items()
                if text is not None and self._environ.get(name) != self._known.left[name]
            ]

    def stop(self, owner: int, *, restore: bool = False) -> None:
        """Let the claims of an owner yield to every other's.

        Args:
            owner: the reloader's key.
            restore: also put its variables back as they were before the mirror, except those
                that somebody else has written since.
        """
        with self._lock:
            self._stopped.add(owner)
            if restore:
                self._claims.pop(owner, None)
            texts = self._wanted()
            records, left = self._known
            moves = Known({}, {})
            for name in self._ever.get(owner, ()):
                text = texts.get(name)
                if text is not None and text != left[name]:
                    moves.records[name] = records[name]._replace(owned=True)
                    moves.left[name] = text
                elif text is None and restore:
                    value = self._environ.get(name)
                    if value != left[name]:
                        moves.give_back(name, value)
                    else:
                        moves.records[name] = records[name]._replace(owned=False)
                        moves.left[name] = records[name].before
            self._move(moves)

    def forget(self, owner: int) -> None:
        """Drop the claims of a reloader that no longer exists; its variables stay as they are.

        It takes no lock, since the garbage collector may call it at any point.
        """
        self._forgotten.append(owner)

    def contested(self, owner: int) -> dict[str, str]:
        """The names for which another live owner wants another text, each with its other source.

        From one source they will soon agree: the other is about to follow.
        """
        with self._lock:
            mine = self._claims.get(owner, {})
            return {
                name: self._sources[other][name].source
                for other in self._claims.keys() - self._stopped - {owner}
                for name, text in self._claims[other].items()
                if None not in (text, mine.get(name))
                and text != mine[name]
                and self._sources[other][name].source != self._sources[owner][name].source
            }

    def renew_lock(self) -> None:
        """Replace the lock in a forked child: a thread that stayed behind may hold it."""
        self._lock = threading.RLock()

    def _drop_forgotten(self) -> None:
        while self._forgotten:
            owner = self._forgotten.popleft()
            for known in (self._claims, self._sources, self._decided, self._ever):
                known.pop(owner, None)
            self._stopped.discard(owner)

    def _process_value(self, name: str) -> str | None:
        """Give a variable as the process has it without our own writes."""
        value, record = self._environ.get(name), self._known.records.get(name)
        return record.before if record is not None and value == self._known.left[name] else value

    def _wanted(
        self, newest: Mapping[int, Claims] | None = None, payload: Payload | None = None
    ) -> dict[str, str]:
        """The text of every variable by the claims of all owners.

        Args:
            newest: claims that take the place of an owner's.
            payload: what has just been read; what others claim from before it is left out.
        """
        newest = newest or {}
        claims = {**self._claims, **newest}
        if payload is not None:
            for other in claims.keys() - newest.keys():
                claims[other] = up_to_date(claims[other], self._decided[other][1], payload)
        yields = self._stopped - newest.keys()
        return wanted(claims[o] for o in sorted(claims, key=lambda owner: owner not in yields))

    def _known_with(self, owner: int, claims: Claims, payload: Payload) -> Known:
        """Add what is known of the names that are new, or new again and written by others since."""
        records, left = known = Known(self._known.records.copy(), self._known.left.copy())
        for name in set(claims).difference(*self._claims.values()):
            value, record = self._environ.get(name), records.get(name)
            kept = record is not None and (record.owned or name in self._ever.get(owner, ()))
            if not kept or value != left[name]:
                own = came_by_env_from(payload.provided(name), value)
                records[name], left[name] = Record(value, None if own else value), value
        return known

    def _moves(
        self, owner: int, decision: Decision, known: Known, texts: Mapping[str, str]
    ) -> Known:
        """Give what becomes of the names whose owner or value changes."""
        records, left = known
        moves = Known({}, {})
        for name in {**self._claims.get(owner, {}), **decision.claims, **decision.shadowed}:
            record, text = records.get(name), texts.get(name)
            if record is None:
                continue  # shadowed from the start
            if text is not None:
                if not record.owned:
                    moves.records[name] = record._replace(owned=True)
                    moves.left[name] = text
                elif text != left[name]:
                    moves.left[name] = text
            elif name in decision.shadowed:
                moves.give_back(name, decision.shadowed[name])
            elif record.owned:
                moves.records[name] = record._replace(owned=False)
                moves.left[name] = record.restore
        return moves

    def _provided(self, claims: Claims, moves: Mapping[str, str | None]) -> dict[str, str]:
        """Give the variables that are mirrored, as they will be."""
        provided: dict[str, str] = {}
        for name, text in claims.items():
            if text is not None:
                value = moves[name] if name in moves else self._environ.get(name)
                if value is not None:  # unless the application has removed it
                    provided[name] = value
        return provided

    def _beneath(
        self,
        owner: int,
        environment: Environment,
        decision: Decision,
        payload: Payload,
        texts: Mapping[str, str],
    ) -> dict[str, str]:
        """Take the mounts' names out of an environment, and what stayed there of gone ones."""
        ever = self._ever.get(owner, set())
        beneath = environment.as_dict(without=decision.claims.keys() | decision.shadowed.keys())
        records, left = self._known
        for name, record in records.items():
            if name in payload.variables or not (name in ever or record.owned):
                continue
            if beneath.get(name) == left[name] and name not in texts:
                _put(beneath, name, record.restore)
        return beneath

    def _move(self, moves: Known) -> None:
        """Write variables, and last, in one go, those that move the C array."""
        self._known.records.update(moves.records)
        self._known.left.update(moves.left)
        resizing: list[tuple[str, str | None]] = []
        for name, value in moves.left.items():
            now = self._environ.get(name)
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
