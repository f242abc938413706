"""Public values are frozen dataclasses, though theirs are quicker to make."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import pprint
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from dynaconf_k8s_reload import Change, Mount, MountStatus
from dynaconf_k8s_reload._model import frozen


class Fields:
    """The fields of the two classes that are compared."""

    x: int
    y: str = "y"
    tags: list[str] = field(default_factory=list, compare=False)


def made(decorator: Any) -> Any:
    """Decorate a class of these fields."""
    defaults = {name: copy.copy(vars(Fields)[name]) for name in ("y", "tags")}
    held = {"__annotations__": dict(Fields.__annotations__), **defaults}
    return decorator(frozen=True)(type("Point", (), held))


OURS, THEIRS = made(frozen.dataclass), made(dataclass)


@pytest.mark.parametrize(
    "arguments", [((1,), {}), ((1, "z"), {}), ((), {"x": 1, "tags": ["a"]}), ((1, "z", []), {})]
)
def test_an_object_is_that_of_a_dataclass(arguments: Any) -> None:
    """It has the same fields, text, hash, copies and arguments of a pattern."""
    (given, named), found = arguments, []
    for kind in (OURS, THEIRS):
        value = kind(*given, **named)
        assert value == kind(*given, **named) == replace(value) == copy.deepcopy(value)
        assert value != kind(2)
        assert value != "another class"
        shown = repr(value).removeprefix(kind.__qualname__)
        found.append((vars(value), dataclasses.asdict(value), shown, hash(value)))
    assert found[0] == found[1]
    assert OURS(1).tags is not OURS(1).tags
    assert OURS.__match_args__ == THEIRS.__match_args__


@pytest.mark.parametrize(
    "arguments",
    [((), {}), ((1, "", [], 2), {}), ((1,), {"x": 2}), ((1,), {"z": 2})],
)
def test_wrong_arguments_are_refused(arguments: Any) -> None:
    """One too few, one too many, twice, or of another name: the error names the class."""
    given, named = arguments
    for kind in (OURS, THEIRS):
        with pytest.raises(TypeError, match=r"^Point\.__init__\(\) "):
            kind(*given, **named)


def test_pprint_lays_a_value_out_as_a_dataclass() -> None:
    """A person who prints a status with it reads a line for each field."""
    by_pprint = pprint.pformat(OURS(1), width=10)
    assert by_pprint == pprint.pformat(THEIRS(1), width=10)
    assert len(by_pprint.splitlines()) == 3


@pytest.mark.parametrize(
    "value",
    [
        Mount("/config", include=["A_*"]),
        Change("DB.HOST", 1, 2, "modified", shown="DB"),
        MountStatus("/config", True, None, 1, "off", None),
    ],
)
def test_a_public_value_stays_as_it_is(value: Any) -> None:
    """No field is assigned or removed; copies and pickles are equal, and fields are replaced."""
    name = dataclasses.fields(value)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, "/other")
    with pytest.raises(FrozenInstanceError):
        delattr(value, name)
    assert pickle.loads(pickle.dumps(value)) == value == copy.copy(value)
    assert replace(value, **{name: "/other"}) != value
    assert list(inspect.signature(type(value)).parameters) == [
        each.name for each in dataclasses.fields(value)
    ]


def test_classes_inherit_from_a_public_one() -> None:
    """One of an application's has attributes of its own, a dataclass more fields."""

    class Own(Mount):
        def __init__(self, path: str, colour: str) -> None:
            super().__init__(path)
            self.colour = colour

    @dataclass(frozen=True)
    class Numbered(MountStatus):
        number: int = 1

    @dataclass(frozen=True)
    class Signed(Change):
        author: str = ""

    own = Own("/config", "red")
    assert (own.path, own.colour, list(inspect.signature(Own).parameters)) == (
        "/config",
        "red",
        ["path", "colour"],
    )
    with pytest.raises(FrozenInstanceError):
        own.path = "/other"  # type: ignore[misc] # reason: it is what is tested
    numbered = Numbered(
        "/config", present=True, generation_dir=None, keys=1, watching="off", problem=None
    )
    assert (numbered.path, numbered.number) == ("/config", 1)
    assert list(inspect.signature(Numbered).parameters)[-1] == "number"
    signed = Signed("DB.HOST", 1, 2, "modified", author="Ann")
    assert (signed.shown, signed.author) == ("DB.HOST", "Ann")
