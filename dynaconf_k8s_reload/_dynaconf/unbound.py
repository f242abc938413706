"""Validators that name no environment run in whichever one each generation is in.

dynaconf binds such a validator, when it first runs, to the environment of that moment: up to 3.2
every one, since then only one that stands in another's ``when``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dynaconf import Validator
from dynaconf.validator import ValidatorList

MARK = "_k8s_reload_unbound"  # on the validator itself: dynaconf gives it no hash
BOUND = "_k8s_reload_bound"


class OwnValidators(ValidatorList):  # type: ignore[misc] # reason: dynaconf is untyped
    """The validators of one generation, those that code registers later included.

    Generations share their validators, so each remembers the environments to which it has bound
    them: a generation that is refused does not bind those of the one that keeps serving.
    """

    def register(self, *args: Any, **kwargs: Any) -> None:
        """Add validators; code may run one without the others."""
        super().register(*args, **kwargs)
        mark_unbound(self)

    def validate(self, *args: Any, **kwargs: Any) -> Any:
        """Validate up to the first refusal."""
        with self._bound():
            return super().validate(*args, **kwargs)

    def validate_all(self, *args: Any, **kwargs: Any) -> Any:
        """Validate, and collect the refusals."""
        with self._bound():
            return super().validate_all(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Copy as dynaconf's own class, bound as here; dynaconf hands each hook a copy."""
        copied = memo[id(self)] = list.__new__(ValidatorList)
        copied.extend(copy.deepcopy(list(self), memo))
        for validator, envs in self._bindings():
            copy.deepcopy(validator, memo).envs = envs
        held = {name: value for name, value in vars(self).items() if name != BOUND}
        vars(copied).update(copy.deepcopy(held, memo))
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as dynaconf's own class."""
        held = {name: value for name, value in vars(self).items() if name != BOUND}
        return list.__new__, (ValidatorList,), held, iter(self)

    @contextmanager
    def _bound(self) -> Iterator[None]:
        """Bind the marked ones as this generation has; remember what they are bound to then."""
        mark_unbound(self)
        bindings = self._bindings()
        for validator, envs in bindings:
            validator.envs = envs
        try:
            yield
        finally:
            self.__dict__[BOUND] = [(validator, validator.envs) for validator, _ in bindings]

    def _bindings(self) -> list[tuple[Any, Any]]:
        """Give the marked ones, each with what this generation has bound it to, if anything yet."""
        held = {id(validator): envs for validator, envs in vars(self).get(BOUND, ())}
        return [(each, held.get(id(each))) for each in _each(self) if MARK in vars(each)]


def mark_unbound(validators: Iterable[Any]) -> None:
    """Mark the validators without an environment, before dynaconf binds them."""
    for validator in _each(validators):
        if validator.envs is None:
            vars(validator)[MARK] = True


def _each(validators: Iterable[Any]) -> Iterator[Any]:
    """Give the validators and those within them."""
    for validator in validators:
        parts = [*getattr(validator, "validators", ()), getattr(validator, "when", None)]
        yield from _each(part for part in parts if isinstance(part, Validator))
        yield validator
