"""gunicorn: every worker follows, whatever its kind, preloaded or not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload.testing import AtomicWriter
from servers import Clients, serving
from support import eventually

pytestmark = pytest.mark.heavy

WORKERS = 4
SWAPS = 20


def served(answer: Any) -> int:
    """Give the number that both the setting and the variable have reached."""
    return min(int(answer["number"]), int(answer["variable"]))


def check(answer: Any, before: Mapping[int, Any]) -> object:
    """Say whether a worker went back in time."""
    earlier = before.get(answer["pid"])
    if earlier is not None and served(answer) < served(earlier):
        return f"{answer} after {earlier}"
    return None


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_every_worker_answers_with_the_new_value(
    volume: AtomicWriter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    preload: bool,
) -> None:
    """After each swap all workers serve it; no request fails, and none goes back."""
    # dynaconf imports Django's settings where it is installed, and gevent asks for their class.
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "django.conf.global_settings")
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    if kind == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    volume.write({"NUMBER": "0"})
    command = [
        *("gunicorn", "--workers", str(WORKERS), "--worker-class", kind),
        *("--bind", "fd://{fd}", "--no-control-socket", "--worker-connections", "2"),
        *(["--threads", "2"] if kind == "gthread" else []),
        *(["--preload"] if preload else []),
        "web:application",
    ]
    took = []
    with (
        # gunicorn kills after 30 s what has not ended by itself.
        serving(command, volume, tmp_path / "log", seconds=20, codes=(0,)) as port,
        Clients(port, check, newest=served) as clients,
    ):
        eventually(lambda: clients.all(WORKERS, lambda _: True), seconds=30)
        for number in range(1, SWAPS + 1):
            volume.write({"NUMBER": str(number)})
            swapped = time.monotonic()
            eventually(lambda n=number: clients.all(WORKERS, lambda a: served(a) >= n), 30)  # type: ignore[misc] # reason: mypy knows no lambda with a default
            took.append(time.monotonic() - swapped)
    assert len(clients.answers) == WORKERS  # none was started again
    assert clients.problems == []
    print(
        f"{kind}, {'preload' if preload else 'no preload'}: {SWAPS} swaps, {clients.requests} "
        f"requests, all workers after {sum(took) / SWAPS:.3f} s, at most {max(took):.3f} s"
    )
