"""What a reload changed: `Change`, the immutable mapping `Changes`, and `diff`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from math import isnan
from typing import Any, Literal

from .shown import cut, escaped

Kind = Literal["added", "modified", "removed"]

_ABSENT = object()


@dataclass(frozen=True, slots=True, init=False)
class Change:
    """One setting that a reload changed.

    Attributes:
        key: the dotted key, spelled as in the settings (``DB.host``).
        old: the value before, ``None`` where it was added.
        new: the value now, ``None`` where it was removed.
        kind: ``"added"``, ``"modified"`` or ``"removed"``.
        shown: the key as a log may show it, cut where a value begins: of ``API_KEYS.sk-live-1``,
            where ``API_KEYS`` is what a file is named, ``API_KEYS``. By default the key.
    """

    key: str
    old: Any = field(repr=False)
    new: Any = field(repr=False)
    kind: Kind
    shown: str = field(default="", compare=False)

    # By hand: a frozen dataclass's own takes twice as long, and a reload may make thousands.
    def __init__(self, key: str, old: Any, new: Any, kind: Kind, shown: str = "") -> None:
        _set_key(self, key)
        _set_old(self, old)
        _set_new(self, new)
        _set_kind(self, kind)
        _set_shown(self, shown or escaped(key))

    def __repr__(self) -> str:
        return f"Change(key={self.shown!r}, kind={self.kind!r})"


_set_key, _set_old, _set_new, _set_kind, _set_shown = (
    vars(Change)[each.name].__set__ for each in fields(Change)
)


class Changes(Mapping[str, Change]):
    """An immutable mapping of dotted keys to `Change`.

    Lookup ignores case and takes ``__`` for ``.``, as dynaconf does. Its ``repr`` shows keys and
    kinds, never values.
    """

    __slots__ = ("_by_name",)

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._by_name = {_name(change.key): change for change in changes}

    def __getitem__(self, key: str) -> Change:
        try:
            return self._by_name[_name(key)]
        except KeyError:
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _name(key) in self._by_name

    def __iter__(self) -> Iterator[str]:
        return (change.key for change in self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def values(self) -> ValuesView[Change]:
        """The changes, without looking each up by its key."""
        return self._by_name.values()

    def __repr__(self) -> str:
        kinds = dict.fromkeys(f"{change.shown}: {change.kind}" for change in self.values())
        return f"Changes({', '.join(kinds)})"

    def cut(self, known: Callable[[], Container[tuple[str, ...]]]) -> Changes:
        """Have keys shown no deeper than they are known, see `cut`.

        Args:
            known: gives the paths, in upper case, that files or the application's author name;
                called only if there is a nested key.
        """
        if not any("." in change.key for change in self.values()):
            return self
        paths = known()
        return Changes(replace(each, shown=cut(each.key, paths)) for each in self.values())

    def matching(self, patterns: Iterable[str]) -> Changes:
        """Keep the changes whose key, or a key above it, matches one of the shell-style patterns.

        ``"DB"`` covers ``DB.HOST`` as well: it is a part of what ``settings.DB`` gives.
        """
        names = [_name(pattern) for pattern in patterns]
        if not names:
            return Changes()
        return Changes(
            change
            for name, change in self._by_name.items()
            if any(fnmatchcase(part, pattern) for part in _lineage(name) for pattern in names)
        )

    def then(self, later: Changes) -> Changes:
        """Merge with the changes that followed: old of the first, new of the last."""
        merged = dict(self._by_name)
        for name, change in later._by_name.items():
            first = merged.pop(name, None)
            old = change.old if first is None else first.old
            was_absent = (change if first is None else first).kind == "added"
            merged_change = _compare(
                change.key,
                _ABSENT if was_absent else old,
                _ABSENT if change.kind == "removed" else change.new,
            )
            if merged_change is not None:
                merged[name] = replace(merged_change, shown=change.shown)
        return Changes(merged.values())


def flatten(data: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Lay nested settings out as dotted keys; an empty dictionary stays a value of its own."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        dotted = f"{above}{key}"
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{dotted}."))
        else:
            flat[dotted] = value
    return flat


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Compare two flat mappings of dotted keys."""
    changes: list[Change] = []
    for key, before in old.items():
        now = new.get(key, _ABSENT)
        if now is _ABSENT:
            changes.append(Change(key, before, None, "removed"))
        elif not (now is before or same(before, now)):
            changes.append(Change(key, before, now, "modified"))
    changes += [Change(key, None, now, "added") for key, now in new.items() if key not in old]
    return Changes(changes)


def _compare(key: str, old: Any, new: Any) -> Change | None:
    if old is _ABSENT:
        return None if new is _ABSENT else Change(key, None, new, "added")
    if new is _ABSENT:
        return Change(key, old, None, "removed")
    return None if same(old, new) else Change(key, old, new, "modified")


def same(old: Any, new: Any) -> bool:
    """Tell whether two values are the same to a reader: ``1``, ``1.0`` and ``True`` are not."""
    if old is new:
        return True
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if type(old) is not type(new):
        return False
    try:
        return bool(old == new) or (isinstance(old, float) and isnan(old) and isnan(new))
    except Exception:  # noqa: BLE001 -- because a user's __eq__ may raise anything
        return False


def taken_out(key: str, before: Container[str], after: Container[str]) -> bool:
    """Tell whether a key, or a value that it was put beneath, was there before and is not after."""
    return any(part in before and part not in after for part in _lineage(key))


def _name(key: str) -> str:
    return key.replace("__", ".").upper()


def _lineage(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
