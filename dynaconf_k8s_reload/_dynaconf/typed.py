"""``dynaconf.typed``: its validators come after construction, and belong to the first load."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from dynaconf.base import Settings
from dynaconf.validator import ValidatorList

from . import state
from .generation import attached

TYPED = "dynaconf.typed.main"  # up to 3.2 there is none


class FirstValidators(ValidatorList):  # type: ignore[misc] # reason: dynaconf is untyped
    """The validators of a typed object that has just been loaded."""

    def validate_all(self, *args: Any, **kwargs: Any) -> Any:
        """Validate for the first time; what is refused leaves no variable and no thread."""
        self.__class__ = ValidatorList
        try:
            return ValidatorList.validate_all(self, *args, **kwargs)  # errors, if asked for them
        except BaseException:  # whatever it is, nothing has been loaded
            attached(self.settings).generation.owner.withdraw()
            raise


def expect_typed_validators(settings: Settings) -> None:
    """Have a first load that a typed class makes include the validators that are still to come."""
    module: Any = sys.modules.get(TYPED)  # nobody is in it if nobody has imported it
    frame = inspect.currentframe()
    while module is not None and frame is not None:
        if frame.f_code is module.Dynaconf.__new__.__code__:
            state.get(settings, "validators").__class__ = FirstValidators
            return
        frame = frame.f_back
