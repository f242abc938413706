"""Private records: made like dataclasses, without compiling anything."""

from __future__ import annotations

from dataclasses import field

from dynaconf_k8s_reload._model.record import record, replace


@record
class Point:
    """Something with named fields."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)


def test_fields_are_given_in_their_order_or_by_name() -> None:
    """What is not given has its default, a list of its own included."""
    assert vars(Point(1, tags=["a"])) == {"x": 1, "tags": ["a"]}
    first, second = Point(1), Point(1)
    assert (first.y, first.tags) == (0, [])
    assert first.tags is not second.tags
    assert first != second


def test_a_copy_has_other_values_in_the_fields_that_change() -> None:
    """The other fields are shared, and what was worked out of the first is forgotten."""
    point = Point(1, 2, ["a"])
    vars(point)["worked_out"] = 3
    changed = replace(point, x=5)
    assert vars(changed) == {"x": 5, "y": 2, "tags": ["a"]}
    assert changed.tags is point.tags
    assert point.x == 1
