"""The mirror of ``os.environ``: who owns a variable, and what the process had before.

Nothing is written until `Mirror.apply`: a candidate is built against a `Plan`, which says what the
environment will be.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .._model.names import Names
from .._model.options import Options
from .._source.content import Payload, came_by_env_from
from .overlay import Environment, Plan
from .owners import Owner, Record, of_the_process, up_to_date, wanted
from .rules import Claims, Decision, decide
from .staging import PROCESS, view_of_thread


class Proposal(NamedTuple):
    """What an owner would publish.

    Attributes:
        payload: what its mounts hold.
        terms: the options and names by which it is decided.
        dotenv: reads the application's ``.env``, which provides what nothing else does.
    """

    payload: Payload
    terms: tuple[Options, Names]
    dotenv: Callable[[], Mapping[str, str]] = dict


class Mirror:
    """Keeps the variables of the mounts in one environment, for every reloader of the process.

    An owner is a reloader, named by its key. Where several claim a name the last loaded wins, and
    the stopped ones yield to the others.

    Args:
        environ: the environment to write; the process's by default.
    """

    def __init__(self, environ: MutableMapping[str, str] = PROCESS) -> None:
        self._environ = environ
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._owners: dict[int, Owner] = {}  # in the order of their first loads
        self._withdrawn: dict[int, Owner] = {}  # stopped, and their variables put back
        self._forgotten: deque[int] = deque()

    def plan(
        self, proposals: Mapping[int, Proposal], *, put_right: bool = False
    ) -> tuple[Environment, dict[int, Plan]]:
        """Work out what publishing payloads together does, without doing it.

        Args:
            proposals: what each owner would publish, by its key.
            put_right: also write anew what the application has changed since.

        Returns:
            The environment as it will be, and each owner's plan by its key.
        """
        with self._lock:
            self._drop_forgotten()
            decisions = {key: self._decide(key, proposal) for key, proposal in proposals.items()}
            claims = {key: decision.claims for key, decision in decisions.items()}
            payloads = {key: proposal.payload for key, proposal in proposals.items()}
            records = self._records_with(claims, payloads)
            texts = self._wanted(claims, payloads)
            moves = self._moves(decisions, records, texts, put_right=put_right)
            dotenv = _of_dotenv(moves, proposals.values())
            moves = _with_dotenv(moves, dotenv)
            # An object that is made by code within a build sees what the build sees.
            process = view_of_thread() or self._environ
            joint = Environment(process, {}, {name: move.left for name, move in moves.items()})
            return joint, {
                key: replace(
                    self._plan_of(key, proposal, decisions[key], texts, joint), dotenv=dotenv
                )
                for key, proposal in proposals.items()
            }

    def _decide(self, key: int, proposal: Proposal) -> Decision:
        owner = self._owner(key)
        before = (owner.payload, owner.decision) if owner.terms == proposal.terms else None
        return decide(proposal.payload, *proposal.terms, self._process_value, before)

    def _plan_of(
        self,
        key: int,
        proposal: Proposal,
        decision: Decision,
        texts: Mapping[str, str],
        joint: Environment,
    ) -> Plan:
        claims, payload = decision.claims, proposal.payload
        mirrored = (name for name, text in claims.items() if text is not None)
        # of each name that the application has not removed
        provided = {name: text for name in mirrored if (text := joint.get(name)) is not None}
        environment = joint.providing(provided)
        unclaimed = self._unclaimed(self._owner(key), environment, decision, payload, texts)
        differing = tuple(
            name
            for name, text in claims.items()
            if text is not None
            and name not in self._records
            and self._environ.get(name, text) != text
            and not any(each.mount.env_from is True for each in payload.provided(name))
        )
        return Plan(environment, unclaimed, decision, differing, payload, terms=proposal.terms)

    def beneath(self, key: int, plan: Plan) -> dict[str, str]:
        """Give the variables beneath the mounts of an applied plan, as they are by now."""
        with self._lock:
            texts = self._wanted({key: plan.decision.claims})
            owner = self._owner(key)
            return self._unclaimed(owner, plan.environment, plan.decision, plan.payload, texts)

    def apply(self, plans: Mapping[int, Plan], *, put_right: bool = False) -> None:
        """Write what changed, all of it or nothing; names that no owner provides are released.

        Args:
            plans: what each owner publishes, by its key.
            put_right: as for `plan`.

        Raises:
            BaseException: the writing was interrupted, and has been undone.
        """
        with self._lock:
            decisions = {key: plan.decision for key, plan in plans.items()}
            claims = {key: plan.decision.claims for key, plan in plans.items()}
            payloads = {key: plan.payload for key, plan in plans.items()}
            records = self._records_with(claims, payloads)
            texts = self._wanted(claims, payloads)
            moves = self._moves(decisions, records, texts, put_right=put_right)
            for plan in plans.values():
                moves = _with_dotenv(moves, plan.dotenv)
            self._move({**records, **moves}, moves)
            for key, plan in plans.items():
                owner = self._owners.setdefault(key, self._owner(key))
                self._withdrawn.pop(key, None)
                owner.terms, owner.payload, owner.decision = plan.terms, plan.payload, plan.decision
                owner.claims, owner.stopped = plan.decision.claims, False
                owner.ever.update(owner.claims)

    def drifted(self, key: int) -> list[str]:
        """The variables of an owner that somebody else has written since, and that are left so."""
        with self._lock:
            return [
                name
                for name, text in self._owner(key).claims.items()
                if text is not None and self._environ.get(name) != self._records[name].left
            ]

    def settle(self) -> None:
        """Give the variables of the owners that no longer exist to those that still claim them."""
        if self._forgotten:
            with self._lock:
                names = self._drop_forgotten()
                texts = self._wanted()
                moves = {
                    name: self._records[name].leaving(texts[name], owned=True)
                    for name in names
                    if name in texts and self._records[name].left != texts[name]
                }
                self._move({**self._records, **moves}, moves)

    def stop(self, key: int, *, restore: bool = False) -> None:
        """Let the claims of an owner yield to every other's.

        Args:
            key: the reloader's key.
            restore: also put its variables back as they were before the mirror, except those
                that somebody else has written since.
        """
        with self._lock:
            self._drop_forgotten()
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
                    moves[name] = record.leaving(text, owned=True)
                elif text is None and restore:
                    value = self._environ.get(name)
                    if value == record.left:
                        moves[name] = record.leaving(record.before, owned=False)
                    else:
                        moves[name] = of_the_process(value)
            self._move({**self._records, **moves}, moves)

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

    def _drop_forgotten(self) -> set[str]:
        """Drop the owners that no longer exist, and give the names that they claimed."""
        names: set[str] = set()
        while self._forgotten:
            key = self._forgotten.popleft()
            owner = self._owners.pop(key, None)
            self._withdrawn.pop(key, None)
            if owner is not None:
                names.update(owner.claims)
        return names

    def _process_value(self, name: str) -> str | None:
        """Give a variable as the process has it without our own writes."""
        value, record = self._environ.get(name), self._records.get(name)
        return record.before if record is not None and value == record.left else value

    def _wanted(
        self,
        claims: Mapping[int, Claims] | None = None,
        read: Mapping[int, Payload] | None = None,
    ) -> dict[str, str]:
        """The text of every variable by the claims of all owners, the winner's last.

        Args:
            claims: what some owners claim from now on, by their keys.
            read: what has just been read for them; what others claim from before it is left out.
        """
        anew = claims or {}
        ranked: list[tuple[bool, Claims]] = []
        for key, owner in self._owners.items():
            theirs = anew.get(key)
            if theirs is None:
                theirs = owner.claims
                for payload in (read or {}).values():
                    theirs = up_to_date(theirs, owner.payload, payload)
            ranked.append((key in anew or not owner.stopped, theirs))
        ranked += [(True, theirs) for key, theirs in anew.items() if key not in self._owners]
        return wanted(theirs for _, theirs in sorted(ranked, key=lambda rank: rank[0]))

    def _records_with(
        self, claims: Mapping[int, Claims], payloads: Mapping[int, Payload]
    ) -> dict[str, Record]:
        """Add records of the names that are new, or new again and written by others since."""
        records = self._records.copy()
        known: set[str] = set().union(*(owner.claims for owner in self._owners.values()))
        for key, theirs in claims.items():
            ever = self._owner(key).ever
            for name in theirs.keys() - known:
                value, record = self._environ.get(name), records.get(name)
                kept = record is not None and (record.owned or name in ever)
                if record is None or not kept or value != record.left:
                    provided, mirrored = payloads[key].provided(name), theirs[name] is not None
                    own = came_by_env_from(provided, value, mirrored=mirrored)
                    records[name] = Record(value, None if own else value, value)
            known.update(theirs)
        return records

    def _moves(
        self,
        decisions: Mapping[int, Decision],
        records: Mapping[str, Record],
        texts: Mapping[str, str],
        *,
        put_right: bool,
    ) -> dict[str, Record]:
        """Give the records of the names whose owner or value changes, as they will be."""
        moves: dict[str, Record] = {}
        for key, decision in decisions.items():
            for name in {**self._owner(key).claims, **decision.claims, **decision.shadowed}:
                record, text = records.get(name), texts.get(name)
                if record is None:
                    continue  # shadowed from the start
                if text is not None:
                    off = put_right and self._environ.get(name) != text
                    if off or not record.owned or text != record.left:
                        moves[name] = record.leaving(text, owned=True)
                elif name in decision.shadowed:
                    moves[name] = of_the_process(decision.shadowed[name])
                elif record.owned and self._mirrors(key, name):
                    moves[name] = record.leaving(record.restore, owned=False)
        return moves

    def _mirrors(self, key: int, name: str) -> bool:
        """Tell whether an owner has mirrored a name, or nobody else has."""
        return self._owner(key).claims.get(name) is not None or not any(
            owner.claims.get(name) is not None for owner in self._owners.values()
        )

    def _unclaimed(
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

    def _move(self, records: dict[str, Record], moves: Mapping[str, Record]) -> None:
        """Write variables, and last, in one go, those that move the C array; or undo it all."""
        now = {name: self._environ.get(name) for name in moves}
        resizing = {name for name, record in moves.items() if None in (now[name], record.left)}
        order = sorted(moves, key=resizing.__contains__)
        try:
            for name in order:
                if now[name] != moves[name].left:
                    _put(self._environ, name, moves[name].left)
            self._records = records
        except BaseException:  # a signal handler may raise at any point
            self._undo(order, now)
            raise

    def _undo(self, names: Sequence[str], before: Mapping[str, str | None]) -> None:
        for name in reversed(names):
            try:
                if self._environ.get(name) != before[name]:
                    _put(self._environ, name, before[name])
            except Exception:  # noqa: BLE001 -- because the others are put back all the same, and the first error is what is raised
                record = self._records.get(name)
                if record is not None:  # known as it is, so that the next writing mends it
                    self._records[name] = record.leaving(
                        self._environ.get(name), owned=record.owned
                    )


def _of_dotenv(moves: Mapping[str, Record], proposals: Iterable[Proposal]) -> dict[str, str]:
    """Give what ``.env`` files say of the names that go, as a process that starts would have it."""
    gone = [name for name, record in moves.items() if record.left is None]
    found: dict[str, str] = {}
    for proposal in proposals if gone else ():
        said = proposal.dotenv()
        found.update({name: said[name] for name in gone if name in said})
    return found


def _with_dotenv(moves: dict[str, Record], dotenv: Mapping[str, str]) -> dict[str, Record]:
    shown = {
        name: replace(moves[name], left=text)
        for name, text in dotenv.items()
        if name in moves and moves[name].left is None
    }
    return {**moves, **shown}


def _put(mapping: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value


MIRROR = Mirror()
