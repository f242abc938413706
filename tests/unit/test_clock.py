"""Time as it passes, whatever stands in the place of ``time``."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from dynaconf_k8s_reload._model import clock


def test_a_frozen_clock_stands_still_for_others_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``time`` replaced, as freezegun does it, deadlines still come and times are true."""
    before = clock.monotonic()
    for name in ("monotonic", "time", "monotonic_ns", "time_ns"):
        monkeypatch.setattr(time, name, lambda: 0)
    assert clock.monotonic() > before
    assert (datetime.now(timezone.utc) - clock.now()).total_seconds() < 60
    assert clock.now().year > 2000
