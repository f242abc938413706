"""``dynaconf.typed``: its validators come after construction, and belong to the first load."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from dynaconf import ValidationError
from dynaconf.base import Settings
from dynaconf.validator import Validator, ValidatorList

from . import state
from .generation import attached
from .refusing import worded
from .unbound import OwnValidators, mark_unbound

TYPED = "dynaconf.typed.main"  # up to 3.2 there is none


class ValidatedOnce(OwnValidators):
    """The validators of a typed object that have run within its first load."""

    def validate_all(self, *_: Any, **__: Any) -> Any:
        """Do nothing, once: they have just run, and one may convert a value."""
        self.__class__ = OwnValidators
        return []  # there are no errors


def late_validators() -> tuple[Sequence[Validator], dict[str, Any]]:
    """Give what a typed class will register and run once the object under construction stands.

    With the validators, of which other objects have none, come the keywords of its lazy wrapper.
    """
    module: Any = sys.modules.get(TYPED)  # if it is not imported, none of its frames is running
    frame, constructors = inspect.currentframe(), 0
    while module is not None and frame is not None:
        constructors += frame.f_code is state.CONSTRUCTOR
        if constructors > 1:
            break  # this object is made while another is, by a hook
        if frame.f_code is module.Dynaconf.__new__.__code__:
            made = frame.f_locals
            validators = made["validators"] if made["options"]._trigger_validation else ()
            return validators, vars(made["new_cls"])["_kwargs"]
        frame = frame.f_back
    return (), {}


def complete_typed(
    validators: ValidatorList, late: Sequence[Validator], keywords: dict[str, Any]
) -> None:
    """Complete a typed class's object with the validators that dynaconf would add to it later."""
    settings = validators.settings
    # They stay there if they refuse: the wrapper loads anew when something, such as a viewer of
    # the error, asks it for an attribute.
    keywords["validators"] = list(late)
    validators.register(*late)
    mark_unbound(late)
    validate = partial(validate_late, settings, validators)
    attached(settings).generation.owner.constructed(settings, validate)
    del keywords["validators"]
    state.get(settings, "validators").__class__ = ValidatedOnce


def validate_late(settings: Settings, validators: Iterable[Validator]) -> None:
    """Validate as a typed class does: all errors in one message, as dynaconf's but without values.

    Applications look for its words, which name the field and the rule; see `refusing.worded`.

    Raises:
        ValidationError: a validator has refused a setting.
        Exception: whatever else a validator raises.
    """
    refusals = []
    for validator in validators:
        try:
            validator.validate(settings)
        except ValidationError as error:
            # At once, since dynaconf changes an item's messages with each item.
            refusals.append((validator, worded(error, validator)))
    if refusals:
        raise ValidationError("; ".join(words for _, words in refusals), details=refusals)
