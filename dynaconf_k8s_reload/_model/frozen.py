"""`dataclass(frozen=True)` in a fifth of the time that it takes, since a start makes each class.

The original compiles source for the methods of each. The classes that are made here share theirs,
and are dataclasses all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 -- because it is exported so
else:
    import dataclasses
    from dataclasses import MISSING, FrozenInstanceError, fields
    from inspect import Parameter, Signature

    def dataclass(*, frozen: bool, init: bool = True) -> Any:  # noqa: ARG001 -- because type checkers want it
        """Make a frozen dataclass of a class, which may have methods of its own.

        Args:
            frozen: ``True``.
            init: ``False`` says that the class has an ``__init__`` of its own.
        """

        def made(kind: type) -> type:
            dataclasses.dataclass(init=False, repr=False, eq=False)(kind)
            for name in METHODS:
                if name not in vars(kind):
                    setattr(kind, name, getattr(Frozen, name))
            if init:
                kind.__signature__ = Signature([_parameter(each) for each in fields(kind)])
            return kind

        return made

    class Frozen:
        """Has the methods that each class gets."""

        def __init__(self, *given: Any, **named: Any) -> None:
            arguments = self.__signature__.bind(*given, **named).arguments
            for each in fields(self):
                if each.name in arguments:
                    object.__setattr__(self, each.name, arguments[each.name])
                elif each.default_factory is not MISSING:
                    object.__setattr__(self, each.name, each.default_factory())
                else:
                    object.__setattr__(self, each.name, each.default)

        def __repr__(self) -> str:
            shown = [f"{each.name}={getattr(self, each.name)!r}" for each in fields(self)]
            return f"{type(self).__qualname__}({', '.join(shown)})"

        def __eq__(self, other: object) -> bool:
            if type(other) is not type(self):
                return NotImplemented
            return _compared(self) == _compared(other)

        def __hash__(self) -> int:
            return hash(_compared(self))

        def __setattr__(self, name: str, _: object) -> None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name: str) -> None:
            raise FrozenInstanceError(f"cannot delete field {name!r}")

    METHODS = ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")

    def _compared(value: Any) -> tuple[Any, ...]:
        return tuple(getattr(value, each.name) for each in fields(value) if each.compare)

    def _parameter(field: Any) -> Parameter:
        default = Parameter.empty if field.default is MISSING else field.default
        if field.default_factory is not MISSING:
            default = field.default_factory  # shown as it is, and called by `Frozen.__init__`
        kind = Parameter.POSITIONAL_OR_KEYWORD
        return Parameter(field.name, kind, default=default, annotation=field.type)
