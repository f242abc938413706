"""What the mirror knows: each variable's record, each owner's claims; nothing here is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from .._model.record import record
from .._source.content import Payload, came_by_env_from
from .owners import Owner, Record, of_the_process, up_to_date, wanted
from .process import Held, put
from .rules import Claims, Decision
from .writing import OthersWrites


@record
class Outcome:
    """What becomes of an environment when decisions are put into effect together.

    Attributes:
        added: the records of the names that are new, apart from what moves.
        texts: what is wanted of every variable that anybody wants.
        moves: the records of the names whose owner or value changes, as they will be.
        terms: what it was worked out from.
    """

    added: dict[str, Record]
    texts: dict[str, str]
    moves: dict[str, Record]
    terms: tuple[object, ...]


class Ledger:
    """The records and owners of one environment, and what follows from them.

    Args:
        environ: the environment.
        held: the same as it is held.

    Attributes:
        records: what is known of each name.
        owners: by their keys, in the order of their first loads.
        withdrawn: owners that were stopped, and their variables put back; unless they are back.
        forgotten: keys of owners that no longer exist.
        others: what others write to the environment.
        planned: what was worked out last.
    """

    def __init__(self, environ: Mapping[str, str], held: Held) -> None:
        self._environ = environ
        self.others = OthersWrites(held)
        self.planned: Outcome | None = None
        self.records: dict[str, Record] = {}
        self.owners: dict[int, Owner] = {}
        self.withdrawn: dict[int, Owner] = {}
        self.forgotten: deque[int] = deque()

    def owner(self, key: int) -> Owner:
        """Give what an owner has had mirrored."""
        return self.owners.get(key) or self.withdrawn.get(key) or Owner()

    def drop_forgotten(self) -> set[str]:
        """Drop the owners that no longer exist, and give the names that they claimed."""
        names: set[str] = set()
        while self.forgotten:
            key = self.forgotten.popleft()
            owner = self.owners.pop(key, None)
            self.withdrawn.pop(key, None)
            if owner is not None:
                names.update(owner.claims)
        return names

    def outcome(
        self,
        decisions: Mapping[int, Decision],
        payloads: Mapping[int, Payload],
        *,
        put_right: bool,
    ) -> Outcome:
        """Work out what decisions do; what was planned is known when it is to be done.

        Args:
            decisions: what each owner has decided, by its key.
            payloads: what it was decided of.
            put_right: write anew what others have written since.
        """
        put_right = bool(self.written_by_others()) and put_right
        # A signal handler may load another object at any point, within this one too.
        owners = [
            (key, each.claims, each.payload, each.stopped) for key, each in self.owners.items()
        ]
        terms = (self.records, owners, self.others.seen, decisions, payloads, put_right)
        outcome = self.planned
        if outcome is None or outcome.terms != terms:
            claims = {key: decision.claims for key, decision in decisions.items()}
            added = self.added(claims, payloads)
            texts = self.wanted(claims, payloads)
            records = {**self.records, **added}
            moves = self.moves(decisions, records, texts, put_right=put_right)
            outcome = self.planned = Outcome(added, texts, moves, terms)
        return outcome

    def written_by_others(self) -> frozenset[str]:
        """Give the names that others may have written since the mirror has."""
        self.others.look(self.records)
        return self.others.names

    def process_value(self, name: str) -> str | None:
        """Give a variable as the process has it without our own writes."""
        value, record = self._environ.get(name), self.records.get(name)
        return record.before if record is not None and value == record.left else value

    def wanted(
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
        for key, owner in self.owners.items():
            theirs = anew.get(key)
            if theirs is None:
                theirs = owner.claims
                for payload in (read or {}).values():
                    theirs = up_to_date(theirs, owner.payload, payload)
            ranked.append((key in anew or not owner.stopped, theirs))
        ranked += [(True, theirs) for key, theirs in anew.items() if key not in self.owners]
        return wanted(theirs for _, theirs in sorted(ranked, key=lambda rank: rank[0]))

    def of_the_process(self, claims: Claims, moves: Iterable[str]) -> list[tuple[str, str]]:
        """Give the names to mirror, and the texts, whose variables are the process's own so far.

        Args:
            claims: of one owner.
            moves: the names that change, among which these are.
        """
        records = self.records
        return [
            (name, text)
            for name in moves
            if (text := claims.get(name)) is not None
            and not ((record := records.get(name)) and record.owned)
        ]

    def added(
        self, claims: Mapping[int, Claims], payloads: Mapping[int, Payload]
    ) -> dict[str, Record]:
        """Give records of the names that are new, or new again and written by others since."""
        added: dict[str, Record] = {}
        known: list[Claims] = [owner.claims for owner in self.owners.values()]
        for key, theirs in claims.items():
            ever = self.owner(key).ever
            for name in set(theirs).difference(*known):
                value, record = self._environ.get(name), self.records.get(name)
                kept = record is not None and (record.owned or name in ever)
                if record is None or not kept or value != record.left:
                    provided, mirrored = payloads[key].provided(name), theirs[name] is not None
                    own = came_by_env_from(provided, value, mirrored=mirrored)
                    added[name] = Record(value, None if own else value, value)
            known.append(theirs)
        return added

    def moves(
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
            names = {**self.owner(key).claims, **decision.claims, **decision.shadowed}
            written = self.others.names if put_right else frozenset()
            unsettled = [  # most are settled; what has no record is shadowed from the start
                name
                for name in names
                if (
                    (record := records.get(name)) is not None
                    and not (record.owned and record.left == texts.get(name, record))
                )
                or name in written
            ]
            for name in unsettled:
                record, text = records[name], texts.get(name)
                if text is not None:
                    if not record.owned or text != record.left or self._environ.get(name) != text:
                        moves[name] = record.leaving(text, owned=True)
                elif name in decision.shadowed:
                    moves[name] = of_the_process(decision.shadowed[name])
                elif record.owned and self._mirrors(key, name):
                    moves[name] = record.leaving(record.restore, owned=False)
        return moves

    def _mirrors(self, key: int, name: str) -> bool:
        """Tell whether an owner has mirrored a name, or nobody else has."""
        return self.owner(key).claims.get(name) is not None or not any(
            owner.claims.get(name) is not None for owner in self.owners.values()
        )

    def unclaimed(
        self,
        owner: Owner,
        shown: Mapping[str, str],
        decision: Decision,
        payload: Payload,
        texts: Mapping[str, str],
    ) -> dict[str, str]:
        """Take the mounts' names out of an environment, and what stayed there of gone ones."""
        claims, shadowed = decision.claims, decision.shadowed
        beneath = {
            name: text for name, text in shown.items() if not (name in claims or name in shadowed)
        }
        provided = payload.variables
        for name in [name for name in self.records if name not in provided]:
            record = self.records[name]
            stayed = beneath.get(name) == record.left and (name in owner.ever or record.owned)
            if stayed and name not in texts:
                put(beneath, name, record.restore)
        return beneath


def of_dotenv(
    moves: Mapping[str, Record], readers: Iterable[Callable[[], Mapping[str, str]]]
) -> dict[str, str]:
    """Give what ``.env`` files say of the names that go, as a process that starts would have it.

    Args:
        moves: the records of the names that change.
        readers: each reads one application's file.
    """
    gone = [name for name, record in moves.items() if record.left is None]
    found: dict[str, str] = {}
    for read in readers if gone else ():
        said = read()
        found.update({name: said[name] for name in gone if name in said})
    return found


def with_dotenv(moves: dict[str, Record], dotenv: Mapping[str, str]) -> dict[str, Record]:
    """Give the moves with these values for the names that would be unset: the process has them."""
    shown = {
        name: Record(moves[name].before, text, text)
        for name, text in dotenv.items()
        if name in moves and moves[name].left is None
    }
    return {**moves, **shown}
