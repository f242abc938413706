"""The package's logger, which never raises: what an application hangs on it is foreign code.

A filter that asks for the request of a web framework raises wherever there is none, as in the
watching thread, and ``logging`` lets it through. A line that cannot be written that way goes to
standard error, from WARNING on.
"""

from __future__ import annotations

import contextlib
import logging
import sys

_CALLER = 3  # frames above `logging`'s: `_write`, the level's function, and who calls that


class Logger:
    """Writes to a logger of ``logging``, whatever its filters, handlers and formatters do.

    Args:
        logger: the one that an application configures.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, message: str, *args: object) -> None:
        """Write a detail."""
        self._write(logging.DEBUG, message, args)

    def info(self, message: str, *args: object) -> None:
        """Write what went as it should."""
        self._write(logging.INFO, message, args)

    def warning(self, message: str, *args: object) -> None:
        """Write what a person should look at."""
        self._write(logging.WARNING, message, args)

    def error(self, message: str, *args: object) -> None:
        """Write what has failed."""
        self._write(logging.ERROR, message, args)

    def is_enabled_for(self, level: int) -> bool:
        """Tell whether a line of this level would be written."""
        return self._logger.isEnabledFor(level)

    def _write(self, level: int, message: str, args: tuple[object, ...]) -> None:
        try:
            self._logger.log(level, message, *args, stacklevel=_CALLER)
        except Exception as error:  # noqa: BLE001 -- because it is not ours, and no reason to stop watching
            if level >= logging.WARNING:
                with contextlib.suppress(Exception):  # standard error may be closed, or full
                    print(  # noqa: T201 -- because logging has just failed
                        f"{message % args} (logging failed: {type(error).__name__})",
                        file=sys.stderr,
                    )


log = Logger(logging.getLogger("dynaconf_k8s_reload"))
