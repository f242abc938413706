"""The package's logger: what an application hangs on it cannot end what logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dynaconf_k8s_reload._model.log import Logger, log


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("dynaconf_k8s_reload.tests")
    made.setLevel(logging.DEBUG)
    yield made
    made.filters.clear()
    made.handlers.clear()


def broken(record: logging.LogRecord) -> bool:
    raise LookupError("s3cret")


def test_a_filter_that_raises_stops_nobody(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning goes to standard error then, with what it was about; the rest is lost."""
    logger.addFilter(broken)
    ours = Logger(logger)
    ours.debug("a detail")
    ours.info("as it %s", "should")
    ours.warning("look at %s", "this")
    ours.error("this failed")
    assert capsys.readouterr().err.splitlines() == [
        "look at this (logging failed: LookupError)",
        "this failed (logging failed: LookupError)",
    ]


def test_not_even_a_closed_standard_error_does(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written any more, the line is lost and its writer goes on."""
    logger.addFilter(broken)
    monkeypatch.setattr("sys.stderr", object())
    Logger(logger).error("this failed")


def test_a_line_names_the_place_that_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    """`%(filename)s` in a format is the caller's file, not the logger's."""
    log.warning("look here")
    (record,) = caplog.records
    assert (record.name, record.filename) == ("dynaconf_k8s_reload", "test_log.py")
