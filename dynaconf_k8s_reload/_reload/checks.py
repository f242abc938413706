"""An application's own checks: each sees a candidate before anything of it is published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynaconf.base import Settings

from .._model.changes import Changes
from .interruption import is_foreign
from .notifier import reference_to
from .refusal import CheckFailedError


class Checks:
    """The functions given to `Reloader.on_validate`; a method does not keep its object alive."""

    def __init__(self) -> None:
        self._references: list[Callable[[], Callable[..., Any] | None]] = []

    def __len__(self) -> int:
        return len(self._references)

    def add(self, function: Callable[..., Any]) -> None:
        """Have a function called with each candidate and what it changes."""
        self._references = [*self._references, reference_to(function)]

    def remove(self, function: Callable[..., Any]) -> None:
        """Forget a function, and those whose objects are gone."""
        self._references = [each for each in self._references if each() not in (function, None)]

    def run(self, candidate: Settings, changes: Changes) -> None:
        """Call all of them.

        Raises:
            CheckFailedError: one has refused the candidate.
            BaseException: what a signal handler raises meanwhile.
        """
        for reference in self._references:
            check = reference()
            if check is not None:
                try:
                    check(candidate, changes)
                except Exception as error:  # a check may raise anything
                    if is_foreign(error):
                        raise
                    raise CheckFailedError(check, error) from None
