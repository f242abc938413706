"""The last step of ``Settings.__init__``, its validators: where construction is complete."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from dynaconf.base import Settings

from . import state
from .generation import attached
from .typed import complete_typed, late_validators
from .unbound import OwnValidators


class CompletingValidators(OwnValidators):
    """The validators of an object under construction.

    A first object is completed by its owner, which validates and publishes it. A candidate is
    validated later, when all that are published with it stand.
    """

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Validate; at the last step of construction, complete it.

        A loader or a hook may come here earlier, with any arguments.
        """
        if sys._getframe(1).f_code is not state.CONSTRUCTOR:
            super().validate(*args, **kwargs)
            return
        self.__class__ = OwnValidators
        validate = partial(OwnValidators.validate, self, *args, **kwargs)
        attachment = attached(self.settings)
        if attachment.under_way.is_candidate:
            attachment.under_way.validate = validate
            return
        late, keywords = late_validators()
        if late:
            complete_typed(self, late, keywords)
        else:
            attachment.generation.owner.constructed(self.settings, validate)


def complete_with_validators(settings: Settings) -> None:
    """Have the validators of an object that is being constructed complete it."""
    state.get(settings, "validators").__class__ = CompletingValidators
