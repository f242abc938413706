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
    from operator import attrgetter
    from reprlib import recursive_repr

    def dataclass(*, frozen: bool, init: bool = True) -> Any:  # noqa: ARG001 -- because type checkers want it
        """Make a frozen dataclass of a class, which may have methods of its own.

        Args:
            frozen: ``True``.
            init: ``False`` says that the class has an ``__init__`` of its own.
        """

        def made(kind: type) -> type:
            dataclasses.dataclass(init=False, repr=False, eq=False)(kind)
            told = kind.__dataclass_params__
            told.frozen = told.repr = told.eq = True  # as who inherits has to know, and pprint
            for name in METHODS:
                if name not in vars(kind):
                    setattr(kind, name, getattr(Frozen, name))
            kind.__compared__ = attrgetter(*(f.name for f in fields(kind) if f.compare))
            if init:
                kind.__init__ = _init(kind)
            return kind

        return made

    class Frozen:
        """Has the methods that each class gets."""

        def _shown(self) -> str:
            shown = [f"{each.name}={getattr(self, each.name)!r}" for each in fields(self)]
            return f"{type(self).__qualname__}({', '.join(shown)})"

        # By this pprint knows the repr of a dataclass, and lays it out; so does today's rich.
        _shown.__qualname__ = "__create_fn__.<locals>.__repr__"
        __repr__ = recursive_repr()(_shown)
        __repr__.__wrapped__ = _shown

        def __eq__(self, other: object) -> bool:
            if type(other) is not type(self):
                return NotImplemented
            return self.__compared__(self) == self.__compared__(other)

        def __hash__(self) -> int:
            return hash(self.__compared__(self))

        def __setattr__(self, name: str, value: object) -> None:
            if _is_fixed(self, name):
                raise FrozenInstanceError(f"cannot assign to field {name!r}")
            object.__setattr__(self, name, value)

        def __delattr__(self, name: str) -> None:
            if _is_fixed(self, name):
                raise FrozenInstanceError(f"cannot delete field {name!r}")
            object.__delattr__(self, name)

    METHODS = ("__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")

    def _is_fixed(value: Any, name: str) -> bool:
        # An ordinary class that inherits from a dataclass may have attributes of its own.
        return name in value.__dataclass_fields__ or "__dataclass_fields__" in vars(type(value))

    def _init(kind: type) -> Any:
        parameters = [_parameter("self"), *(_of_field(each) for each in fields(kind))]
        signature = Signature(parameters, return_annotation=None)
        names = [field.name for field in fields(kind)]
        optional = {f.name: f.default for f in fields(kind) if f.default is not MISSING}
        made = {f.name: f.default_factory for f in fields(kind) if f.default_factory is not MISSING}
        wanted = set(names)

        def init(self: object, /, *given: Any, **named: Any) -> None:
            held = vars(self)
            held.update(optional)
            held.update(zip(names, given, strict=False), **named)
            for name in made.keys() - held.keys():
                held[name] = made[name]()
            is_twice = not named.keys().isdisjoint(names[: len(given)])
            if is_twice or len(given) > len(names) or held.keys() != wanted:
                try:
                    signature.bind(self, *given, **named)  # which says what is wrong
                except TypeError as error:
                    raise TypeError(f"{init.__qualname__}() {error}") from None

        init.__signature__ = signature
        init.__name__, init.__qualname__ = "__init__", f"{kind.__qualname__}.__init__"
        return init

    def _of_field(field: Any) -> Parameter:
        given = [each for each in (field.default, field.default_factory) if each is not MISSING]
        return _parameter(
            field.name, annotation=field.type, **({"default": given[0]} if given else {})
        )

    def _parameter(name: str, **options: Any) -> Parameter:
        return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, **options)
