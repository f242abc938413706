"""``LOGGING`` takes effect: what it names is configured anew, what code did elsewhere stays."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from logging.config import dictConfigClass
from typing import Any, NamedTuple

from django.utils.log import DEFAULT_LOGGING, configure_logging

from .. import Changes, ReloadRejected
from .._dynaconf.django import django_settings
from .._model.errors import RedactedCause
from .._model.log import log

PARTS = ("formatters", "filters", "handlers", "loggers")
REFERENCES = {"handlers": "handlers", "filters": "filters", "formatter": "formatters"}


class Loggers:
    """Applies ``LOGGING`` as Django does at the start, in place of what it applied before."""

    def __init__(self) -> None:
        self._applied = django_settings().LOGGING

    def check(self, candidate: Any, changes: Changes) -> None:
        """Refuse an update with which Django would not start.

        Raises:
            ReloadRejected: ``LOGGING`` has a mistake.
        """
        if changes.matching(("LOGGING",)):
            _verify(candidate.get("LOGGING") or {})

    def apply(self, _: Changes) -> None:
        """Configure the loggers anew; if that fails, as they were."""
        function = django_settings().LOGGING_CONFIG
        before, self._applied = self._applied, django_settings().LOGGING
        try:
            _configure(function, before, self._applied)
        except Exception as error:  # noqa: BLE001 -- because a handler may raise anything when it is made
            log.error(
                "LOGGING could not be applied, so the loggers go on as before: %s",
                RedactedCause.of(error),
            )
            _configure(function, self._applied, before)
            self._applied = before


class _State(NamedTuple):
    """What a logger is set to."""

    level: int
    handlers: list[logging.Handler]
    filters: list[Any]
    propagate: bool
    disabled: bool

    @classmethod
    def of(cls, logger: logging.Logger) -> _State:
        lists = (list(logger.handlers), list(logger.filters))
        return cls(logger.level, *lists, logger.propagate, logger.disabled)

    def restore(self, logger: logging.Logger) -> None:
        logger.setLevel(self.level)
        logger.handlers[:], logger.filters[:] = self.handlers, self.filters
        logger.propagate, logger.disabled = self.propagate, self.disabled


def _configure(function: str | None, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Apply the new configuration; what only the old one names is as if nothing had named it.

    ``dictConfig`` closes every handler of the process. It also resets or disables the loggers that
    the configuration does not name: at a start there are none, but by now code has set them up.
    """
    loggers = _existing()
    states = {name: _State.of(logger) for name, logger in loggers.items()}
    named = {*_named(DEFAULT_LOGGING), *_named(old), *_named(new)}
    made = {*DEFAULT_LOGGING["handlers"], *old.get("handlers", ())}
    for name in named & loggers.keys():
        level = logging.NOTSET if name else logging.WARNING
        _State(level, [], [], propagate=True, disabled=False).restore(loggers[name])
    configure_logging(function, new)
    for name, logger in loggers.items():
        state = states[name]
        if name not in named:
            state.restore(logger)
            continue
        for handler in state.handlers:
            if handler.name not in made:
                logger.addHandler(handler)
        configured = len(set(_entry(old, name).get("filters", ())))  # these come before code's
        for added in state.filters[configured:]:
            logger.addFilter(added)
        if name not in {*_named(DEFAULT_LOGGING), *_named(new)}:
            logger.disabled = False


def _existing() -> dict[str, logging.Logger]:
    """Give all loggers by name, the root as ``""``."""
    known = list(logging.root.manager.loggerDict.items())
    return {"": logging.root} | {
        name: logger for name, logger in known if isinstance(logger, logging.Logger)
    }


def _named(config: Mapping[str, Any]) -> set[str]:
    return {*config.get("loggers", ()), *([""] if config.get("root") else [])}


def _entry(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = config.get("loggers", {}).get(name, {})
    return found if name else config.get("root") or found


def _verify(config: Mapping[str, Any]) -> None:
    """Find mistakes without making a handler, which might open a file."""
    if config and config.get("version") != 1:
        raise ReloadRejected("LOGGING.version must be 1")
    resolve = dictConfigClass(dict(config)).resolve
    for place, entry in _entries(config):
        try:
            logging.NullHandler().setLevel(entry.get("level", logging.NOTSET))
        except (TypeError, ValueError):
            raise ReloadRejected(f"{place}.level is not a level of logging") from None
        for key in ("()", "class"):
            try:
                if isinstance(entry.get(key), str):
                    resolve(entry[key])
            except (ValueError, AttributeError):
                raise ReloadRejected(f"{place}.{key} cannot be imported") from None
        for key, part in REFERENCES.items():
            names = entry.get(key) or ()
            if not {*([names] if isinstance(names, str) else names)} <= {*config.get(part, ())}:
                raise ReloadRejected(f"{place}.{key} names what LOGGING.{part} does not have")


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for part in PARTS:
        for name, entry in config.get(part, {}).items():
            yield f"LOGGING.{part}.{name}", entry
    yield "LOGGING.root", config.get("root") or {}
