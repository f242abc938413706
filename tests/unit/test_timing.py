"""How long a difference waits before it is applied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaconf_k8s_reload._watch import Timing

STEPS = st.lists(st.floats(0.01, 5.0), min_size=1, max_size=30)


def test_without_options_nothing_waits() -> None:
    """A difference is due when it is seen."""
    assert Timing().due(7.0, moved=True) == 7.0


def test_each_change_puts_it_off() -> None:
    """It is due once nothing has changed for so long, wherever in between one looks."""
    timing = Timing(settle=1.0)
    assert timing.due(10.0, moved=True) == 11.0
    assert timing.due(10.5, moved=False) == 11.0
    assert timing.due(10.8, moved=True) == 11.8
    timing.done()
    assert timing.due(20.0, moved=False) == 21.0


@given(STEPS, st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_it_is_never_due_early_nor_put_off_for_ever(
    steps: list[float], settle: float, jitter: float
) -> None:
    """However often it changes: not before the quiet, and within ten times the quiet and a wait."""
    timing = Timing(settle, jitter)
    now = 0.0
    for step in [0.0, *steps]:
        now += step
        due = timing.due(now, moved=True)
        assert due >= min(now + settle, settle * 10)
        assert due <= max(min(now + settle, settle * 10), settle + jitter)


def test_a_wait_is_drawn_once_for_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking again does not draw again, nor does a mount that changes meanwhile."""
    timing = Timing(jitter=100.0)
    first = timing.due(0.0, moved=True)
    assert 0.0 <= first <= 100.0
    assert timing.due(first / 2, moved=True) == first
    timing.done()
    others = set()
    for _ in range(20):
        others.add(timing.due(0.0, moved=True))
        timing.done()
    assert len(others) == 20
