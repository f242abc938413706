"""What a reload changed, as values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaconf_k8s_reload._model.changes import Change, Changes, diff, flatten, same

FLAT = st.dictionaries(st.sampled_from(["A", "B", "DB.HOST", "DB.PORT"]), st.integers(0, 2))


def by_key(changes: Changes) -> dict[str, tuple[str, Any, Any]]:
    return {change.key: (change.kind, change.old, change.new) for change in changes.values()}


def test_diff() -> None:
    """A key was added, modified or removed; one that is the same is no change."""
    changes = diff({"A": 1, "B": 1, "C": 1}, {"A": 1, "B": 2, "D": None})
    assert by_key(changes) == {
        "B": ("modified", 1, 2),
        "C": ("removed", 1, None),
        "D": ("added", None, None),
    }


@given(FLAT, FLAT)
def test_diff_is_complete(old: dict[str, int], new: dict[str, int]) -> None:
    """The changes applied to the old state make the new one."""
    state: dict[str, Any] = dict(old)
    for change in diff(old, new).values():
        if change.kind == "removed":
            assert state.pop(change.key) == change.old
        else:
            assert state.get(change.key) == change.old != change.new
            state[change.key] = change.new
    assert state == new


@given(FLAT, FLAT, FLAT)
def test_merged_changes(
    first: dict[str, int], second: dict[str, int], third: dict[str, int]
) -> None:
    """Two changes merged are the change from the first state to the last."""
    merged = diff(first, second).then(diff(second, third))
    assert by_key(merged) == by_key(diff(first, third))


def test_look_up() -> None:
    """Lookup ignores case and takes `__` for a dot; keys are spelled as in the settings."""
    changes = Changes([Change("DB.host", 1, 2, "modified")])
    assert changes["db__HOST"] is changes["DB.HOST"] is changes["DB.host"]
    assert "DB__host" in changes
    assert "DB" not in changes
    not_a_key: Any = 3
    assert not_a_key not in changes
    assert (list(changes), len(changes)) == (["DB.host"], 1)
    assert changes.get("OTHER") is None
    with pytest.raises(KeyError, match="other__KEY"):
        _ = changes["other__KEY"]


def test_no_value_is_shown() -> None:
    """The representations show keys and kinds, never values."""
    change = Change("KEY", "old secret", "new secret", "modified")
    assert repr(Changes([change])) == "Changes(KEY: modified)"
    assert repr(change) == "Change(key='KEY', kind='modified')"
    with pytest.raises(AttributeError):
        change.new = 3  # type: ignore[misc] # reason: that it cannot be done is what is tested


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["DB"], ["DB.HOST", "DB.PORT"]),
        (["db.*"], ["DB.HOST", "DB.PORT"]),
        (["DB__HOST"], ["DB.HOST"]),
        (["D*"], ["DB.HOST", "DB.PORT", "DBX"]),
        (["*.HOST", "KEY"], ["DB.HOST", "KEY"]),
        (["HOST"], []),
        ([], []),
    ],
)
def test_patterns(patterns: list[str], expected: list[str]) -> None:
    """A pattern matches a key in any case, or a key above it."""
    changes = diff({}, dict.fromkeys(["DB.HOST", "DB.PORT", "DBX", "KEY"], 1))
    assert list(changes.matching(patterns)) == expected


def test_flatten() -> None:
    """Nested settings become dotted keys; an empty dictionary and a list are values."""
    nested = {"A": 1, "DB": {"HOST": "h", "MORE": {}, "DEEP": {"X": [1]}}, 3: {4: 5}}
    assert flatten(nested) == {"A": 1, "DB.HOST": "h", "DB.MORE": {}, "DB.DEEP.X": [1], "3.4": 5}


class Awkward:
    """Its comparison fails, as that of some arrays does."""

    def __eq__(self, other: object) -> bool:
        raise ValueError

    __hash__ = None  # type: ignore[assignment] # reason: the language has it so


AWKWARD = Awkward()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        ("1", 1, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        ([1, [2]], [1, [2]], True),
        ([1], [True], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": 1}, {"b": 1}, False),
        (AWKWARD, AWKWARD, True),
        (Awkward(), AWKWARD, False),
    ],
)
def test_same(old: object, new: object, expected: bool) -> None:
    """Values are the same if no reader could tell them apart."""
    assert same(old, new) is expected
