"""Classes of named fields that are quick to make, since a start makes all of them.

`dataclass` compiles the source of each class's methods; what these have is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[Any], Any]:
        """Say nothing to Python of what type checkers are told."""
        return lambda function: function


Kind = TypeVar("Kind", bound=type)
Record = TypeVar("Record")


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def record(kind: Kind) -> Kind:
    """Give a private class the ``__init__`` of a dataclass; no two objects of it are equal."""
    made: Any = kind
    names = tuple(made.__annotations__)
    with_fields = [(name, each) for name, each in vars(made).items() if isinstance(each, Field)]
    makers: list[tuple[str, Any]] = [(name, each.default_factory) for name, each in with_fields]

    def init(self: object, *given: object, **named: object) -> None:
        held = vars(self)
        # Type checkers see to the number of the arguments, and to their names.
        held.update(zip(names, given, strict=False), **named)
        for name, make in makers:
            if name not in held:
                held[name] = make()

    made.__init__ = init
    return kind


def replace(old: Record, /, **changes: object) -> Record:
    """Make a record of another, with other values in some fields."""
    held = vars(old)
    kept = {name: held[name] for name in type(old).__annotations__ if name in held}
    return type(old)(**{**kept, **changes})
