"""The mirror of ``os.environ``: who owns a variable, and what the process had before.

Nothing is written until `Mirror.apply`: a candidate is built against a `Plan`, which says what the
environment will be.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping

from .._model.record import replace
from .ledger import Ledger, of_dotenv, with_dotenv
from .overlay import Environment, Plan, Proposal
from .owners import Owner, Record, of_the_process
from .process import PROCESS, Held, require_pythons_own
from .rules import Decision, decide
from .staging import view_of_thread
from .writing import put_all


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
        self._held = Held(environ)
        self._ledger = Ledger(environ, self._held)

    def plan(
        self, proposals: Mapping[int, Proposal], *, put_right: bool = False
    ) -> tuple[Environment, dict[int, Plan]]:
        """Work out what publishing payloads together does, without doing it.

        Args:
            proposals: what each owner would publish, by its key.
            put_right: also write anew what the application has changed since.

        Returns:
            The environment as it will be, and each owner's plan by its key.

        Raises:
            ConfigError: ``os.environ`` is not Python's own.
        """
        if self._environ is PROCESS:
            require_pythons_own()
        with self._lock:
            self.settle()
            decisions = {key: self._decide(key, proposal) for key, proposal in proposals.items()}
            payloads = {key: proposal.payload for key, proposal in proposals.items()}
            outcome = self._ledger.outcome(decisions, payloads, put_right=put_right)
            dotenv = of_dotenv(outcome.moves, [each.dotenv for each in proposals.values()])
            moves = with_dotenv(outcome.moves, dotenv)
            # An object that is made by code within a build sees what the build sees.
            process = view_of_thread() or self._environ
            joint = Environment(process, {}, {name: move.left for name, move in moves.items()})
            plans = {
                key: self._plan_of(key, proposal, decisions[key], outcome.texts, joint)
                for key, proposal in proposals.items()
            }
            if dotenv:
                plans = {key: replace(plan, dotenv=dotenv) for key, plan in plans.items()}
            return joint, plans

    def _decide(self, key: int, proposal: Proposal) -> Decision:
        owner = self._ledger.owner(key)
        before = (owner.payload, owner.decision) if owner.terms == proposal.terms else None
        return decide(proposal.payload, *proposal.terms, self._ledger.process_value, before)

    def _plan_of(
        self,
        key: int,
        proposal: Proposal,
        decision: Decision,
        texts: Mapping[str, str],
        joint: Environment,
    ) -> Plan:
        claims, payload, shown = decision.claims, proposal.payload, joint.as_dict()
        provided = {  # of each name that the application has not removed
            name: shown[name] for name, text in claims.items() if text is not None and name in shown
        }
        unclaimed = self._ledger.unclaimed(self._ledger.owner(key), shown, decision, payload, texts)
        differing = tuple(
            name
            for name, text in self._ledger.of_the_process(claims, joint.pending)
            if self._environ.get(name, text) != text
            and not any(each.mount.env_from is True for each in payload.provided(name))
        )
        environment = joint.providing(provided)
        return Plan(environment, unclaimed, decision, differing, payload, terms=proposal.terms)

    def beneath(self, key: int, plan: Plan) -> dict[str, str]:
        """Give the variables beneath the mounts of an applied plan, as they are by now."""
        with self._lock:
            texts = self._ledger.wanted({key: plan.decision.claims})
            owner, shown = self._ledger.owner(key), plan.environment.as_dict()
            return self._ledger.unclaimed(owner, shown, plan.decision, plan.payload, texts)

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
            payloads = {key: plan.payload for key, plan in plans.items()}
            outcome = self._ledger.outcome(decisions, payloads, put_right=put_right)
            moves = outcome.moves
            for plan in plans.values():
                moves = with_dotenv(moves, plan.dotenv)
            owners = {
                key: self._ledger.owner(key).publishing(plan.terms, plan.payload, plan.decision)
                for key, plan in plans.items()
            }
            self._move({**outcome.added, **moves}, moves, owners)

    def drifted(self, key: int) -> list[str]:
        """The variables of an owner that somebody else has written since, and that are left so."""
        with self._lock:
            records, claims = self._ledger.records, self._ledger.owner(key).claims
            written = self._ledger.written_by_others()
            return [
                name
                for name, text in (claims.items() if written else ())
                if name in written and text is not None
                if self._environ.get(name) != records[name].left
            ]

    def knows(self, name: str) -> bool:
        """Tell whether a variable is, or once was, any owner's; waits for no lock."""
        return name in self._ledger.records

    def settle(self) -> None:
        """Give the variables of the owners that no longer exist to those that still claim them.

        What somebody else has written or removed since stays so.
        """
        if self._ledger.forgotten:
            with self._lock:
                names, records = self._ledger.drop_forgotten(), self._ledger.records
                texts = self._ledger.wanted()
                moves = {
                    name: records[name].leaving(texts[name], owned=True)
                    for name in names & texts.keys()
                    if texts[name] != records[name].left == self._environ.get(name)
                }
                if moves:
                    self._move(moves, moves)

    def stop(self, key: int, *, restore: bool = False) -> None:
        """Let the claims of an owner yield to every other's.

        Args:
            key: the reloader's key.
            restore: also put its variables back as they were before the mirror, except those
                that somebody else has written since.
        """
        with self._lock:
            self.settle()
            owner = self._ledger.owner(key)
            owner.stopped = True
            if restore and key in self._ledger.owners:
                del self._ledger.owners[key]
                owner.claims = {}
                self._ledger.withdrawn[key] = owner
            texts = self._ledger.wanted()
            moves: dict[str, Record] = {}
            for name in owner.ever:
                record, text = self._ledger.records[name], texts.get(name)
                if text is not None and text != record.left:
                    moves[name] = record.leaving(text, owned=True)
                elif text is None and restore:
                    value = self._environ.get(name)
                    if value == record.left:
                        moves[name] = record.leaving(record.before, owned=False)
                    else:
                        moves[name] = of_the_process(value)
            self._move(moves, moves)

    def forget(self, key: int) -> None:
        """Drop the claims of a reloader that no longer exists; its variables stay as they are.

        It takes no lock, since the garbage collector may call it at any point.
        """
        self._ledger.forgotten.append(key)

    def contested(self, key: int) -> dict[str, str]:
        """The names for which another live owner wants another text, each with its other source.

        From one source they will soon agree: the other is about to follow.
        """
        with self._lock:
            mine = self._ledger.owner(key)
            return {
                name: other.payload.variables[name].source
                for number, other in self._ledger.owners.items()
                if not (number == key or other.stopped or other.payload is mine.payload)
                for name, text in other.claims.items()
                if None not in (text, mine.claims.get(name))
                and text != mine.claims[name]
                and other.payload.variables[name].source != mine.payload.variables[name].source
            }

    def renew_lock(self) -> None:
        """Replace the lock in a forked child: a thread that stayed behind may hold it."""
        self._lock = threading.RLock()

    def _move(
        self,
        records: Mapping[str, Record],
        moves: Mapping[str, Record],
        owners: Mapping[int, Owner] | None = None,
    ) -> None:
        """Write what moves, or raise what interrupted it; then everything is as it was.

        What could not be put back is known as it is, so that the next writing mends it.

        Args:
            records: of the names that change or are new.
            moves: those of them whose variables are to be written.
            owners: who publishes that.
        """
        ledger, others, owners = self._ledger, self._ledger.others, owners or {}
        values = self._held.form({name: record.left for name, record in moves.items()})
        error = put_all(self._held, values)
        ledger.planned = None
        if error is None:
            # There is no call in these lines, so no signal handler runs between two of them; what
            # one has loaded meanwhile stays known.
            ledger.records = {**ledger.records, **records}
            ledger.owners = {**ledger.owners, **owners}
            others.own = {**others.own, **values}
            return
        for name in moves.keys() & self._ledger.records.keys():
            record, left = self._ledger.records[name], self._environ.get(name)
            if left == moves[name].left:
                self._ledger.records[name] = record.leaving(left, owned=record.owned)
        raise error


MIRROR = Mirror()
