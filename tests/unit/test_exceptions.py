"""The errors: one root, and no value in what stands for somebody else's."""

from __future__ import annotations

import pytest

import dynaconf_k8s_reload
from dynaconf_k8s_reload._model.errors import K8sReloadError, RedactedCause


@pytest.mark.parametrize("name", ["ConfigError", "K8sReloadError", "MountError", "ReloadRejected"])
def test_one_root(name: str) -> None:
    """Every public error is exported, and caught by the root."""
    assert issubclass(getattr(dynaconf_k8s_reload, name), K8sReloadError)


def test_a_redacted_cause_shows_type_and_place() -> None:
    """It names the type and the line that raised, and not the message."""
    try:
        int("a secret")
    except ValueError as error:
        cause = RedactedCause.of(error)
    assert str(cause).startswith(f"ValueError at {__file__}:")
    assert str(cause).endswith("in test_a_redacted_cause_shows_type_and_place")
    assert "a secret" not in repr(cause)


def test_a_redacted_cause_of_what_was_never_raised() -> None:
    """Without a traceback there is the type alone."""
    assert str(RedactedCause.of(ValueError("a secret"))) == "ValueError"
