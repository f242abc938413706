"""Validators that name no environment run in whichever one each generation is in.

dynaconf binds such a validator, when it first runs, to the environment of that moment: up to 3.2
every one, since then only one that stands in another's ``when``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dynaconf import Validator
from dynaconf.validator import ValidatorList

MARK = "_k8s_reload_unbound"  # on the validator itself: dynaconf gives it no hash


class MarkingValidators(ValidatorList):  # type: ignore[misc] # reason: dynaconf is untyped
    """A settings object's validators, those that code registers later included."""

    def validate(self, *args: Any, **kwargs: Any) -> Any:
        """Validate up to the first refusal."""
        mark_unbound(self)
        return super().validate(*args, **kwargs)

    def validate_all(self, *args: Any, **kwargs: Any) -> Any:
        """Validate, and collect the refusals."""
        mark_unbound(self)
        return super().validate_all(*args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle, and copy, as dynaconf's own class."""
        return list.__new__, (ValidatorList,), vars(self), iter(self)


def mark_unbound(validators: Iterable[Any]) -> None:
    """Mark the validators without an environment, before dynaconf binds them."""
    for validator in _each(validators):
        if validator.envs is None:
            vars(validator)[MARK] = True


def unbind(validators: Iterable[Any]) -> None:
    """Have the marked ones run in the environment of their next run, whichever that is."""
    for validator in _each(validators):
        if MARK in vars(validator):
            validator.envs = None


def _each(validators: Iterable[Any]) -> Iterator[Any]:
    """Give the validators and those within them."""
    for validator in validators:
        parts = [*getattr(validator, "validators", ()), getattr(validator, "when", None)]
        yield from _each(part for part in parts if isinstance(part, Validator))
        yield validator
