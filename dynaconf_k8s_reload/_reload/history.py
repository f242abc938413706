"""What a reloader has done so far: generations, refusals, times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from .._model.errors import ReloadRejected
from .._model.status import Status


class History:
    """Counts generations and refusals, for `Status`."""

    def __init__(self) -> None:
        self.generation = 0
        self._applied_at: datetime | None = None
        self._lag: float | None = None
        self._rejected = 0
        self._refused: tuple[str, ReloadRejected, bool] | None = None
        self._last_error: str | None = None
        self._restart_required: dict[str, None] = {}

    def applied(self, restart_keys: Iterable[str], lag: float | None) -> None:
        """A generation has been published."""
        self.generation += 1
        self._applied_at = datetime.now(timezone.utc)
        self._lag = lag
        self._restart_required.update(dict.fromkeys(restart_keys))
        self.unchanged()

    def unchanged(self) -> None:
        """The mounts hold what is being served."""
        self._refused = self._last_error = None

    def refused(self, content: str, error: ReloadRejected, *, retry: bool) -> bool:
        """An update was refused; tells whether it is news, once for each content."""
        is_news = self._refused is None or self._refused[0] != content
        self._refused = (content, error, retry)
        self._last_error = str(error)
        self._rejected += is_news
        return is_news

    def refusal_of(self, content: str) -> ReloadRejected | None:
        """Give the error of this content if it was refused and need not be tried again."""
        if self._refused is None or self._refused[0] != content or self._refused[2]:
            return None
        return self._refused[1]

    def status(self, **rest: Any) -> Status:
        """Put together with `rest`, what is going on at this moment."""
        return Status(
            generation=self.generation,
            applied_at=self._applied_at,
            rejected=self._rejected,
            last_error=self._last_error,
            restart_required=tuple(self._restart_required),
            lag=self._lag,
            **rest,
        )
