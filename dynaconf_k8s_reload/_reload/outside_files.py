"""The settings files outside the mounts, as one object follows them with ``k8s_watch_files``."""

from __future__ import annotations

from dynaconf.base import Settings

from .. import _dynaconf
from .._source.fingerprint import Token


class OutsideFiles:
    """Compares how the files are with how they were when they were last looked at, or loaded."""

    def __init__(self) -> None:
        self._seen: Token | None = None

    def look(self, settings: Settings) -> bool:
        """Look at the files, if they are followed; tell whether they are to be loaded."""
        if not _follows(settings):
            return False
        self._seen = _dynaconf.files_now(settings)
        return self.differ(settings)

    def tokens(self, settings: Settings) -> tuple[Token, Token] | None:
        """How the files are, and how they were last seen; ``None`` if they are not followed."""
        if not _follows(settings):
            return None
        return _dynaconf.files_now(settings), self._seen or _dynaconf.files_loaded(settings)

    def differ(self, settings: Settings) -> bool:
        """Tell whether the files are other ones than those that were loaded."""
        return _dynaconf.files_now(settings) != _dynaconf.files_loaded(settings)

    @property
    def mark(self) -> str:
        """Identifies the files as they were last seen; empty if nobody has looked."""
        return "" if self._seen is None else f" {hash(self._seen)}"


def _follows(settings: Settings) -> bool:
    return _dynaconf.attached(settings).generation.options.k8s_watch_files
