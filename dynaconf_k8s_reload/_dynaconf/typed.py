"""``dynaconf.typed``: its validators come after construction, and belong to the first load."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from dynaconf.validator import Validator, ValidatorList

from . import state

TYPED = "dynaconf.typed.main"  # up to 3.2 there is none


class ValidatedOnce(ValidatorList):  # type: ignore[misc] # reason: dynaconf is untyped
    """The validators of a typed object that have run within its first load."""

    def validate_all(self, *_: Any, **__: Any) -> Any:
        """Do nothing, once: they have just run, and one may convert a value."""
        self.__class__ = ValidatorList
        return []  # there are no errors


def late_validators() -> Sequence[Validator]:
    """Give what a typed class will register and run once the object under construction stands."""
    module: Any = sys.modules.get(TYPED)  # nobody is in it if nobody has imported it
    frame, constructors = inspect.currentframe(), 0
    while module is not None and frame is not None:
        constructors += frame.f_code is state.CONSTRUCTOR
        if constructors > 1:
            break  # this object is made while another is, by a hook
        if frame.f_code is module.Dynaconf.__new__.__code__:
            made = frame.f_locals
            return made["validators"] if made["options"]._trigger_validation else ()
        frame = frame.f_back
    return ()
