"""Flask under gunicorn, with requests running throughout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload.testing import AtomicWriter
from servers import Clients, ask, serving
from support import eventually

pytestmark = pytest.mark.heavy

WORKERS = 2
GUNICORN = [
    *("gunicorn", "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4"),
    *("--bind", "fd://{fd}", "flask_app:app"),
]
FLASKS = {"SESSION_COOKIE_NAME": "sid", "MYAPP_DEBUG": "true", "TESTING": "true"}


def number(value: int, **more: str) -> dict[str, str]:
    """A payload whose two numbers belong together."""
    return {"NUMBER": str(value), "TWIN": str(value), **more}


def check(answer: Any, _: object) -> object:
    """Say what no request may have seen."""
    if len(set(answer["one_generation"])) > 1 or len(set(answer["items"])) > 1:
        return f"two generations: {answer}"
    if answer["cookie"] not in ("session", "sid") or answer["interface"] not in ("session", "sid"):
        return f"no cookie name: {answer}"
    return None


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["no preload", "preload"])
def test_every_request_sees_one_generation(
    volume: AtomicWriter, tmp_path: Path, preload: list[str]
) -> None:
    """Keys are changed, added and deleted, Flask's own too, under load; no request fails."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    volume.write(number(0))
    command = [*GUNICORN[:-1], *preload, GUNICORN[-1]]
    with serving(command, volume, tmp_path / "log") as port, Clients(port, check) as clients:
        eventually(lambda: clients.all(WORKERS, lambda _: True), seconds=60)
        for value in range(1, 11):
            volume.write(number(value, EXTRA="x", **FLASKS))
            eventually(lambda: clients.all(WORKERS, _has_all), seconds=30)
            volume.write(number(value + 100))
            eventually(lambda: clients.all(WORKERS, _has_defaults), seconds=30)
        assert ask(port, "/-/config")[0] == 200
    assert clients.problems == []
    assert len(clients.answers) == WORKERS  # none was started again
    print(f"{clients.requests} requests, 20 swaps, none failed")


def _has_all(answer: Any) -> bool:
    return (
        answer["listed"] and answer["extra"] == "x" and _flasks(answer) == ["sid"] * 2 + [True] * 2
    )


def _has_defaults(answer: Any) -> bool:
    defaults = ["session"] * 2 + [False] * 2
    return not answer["listed"] and answer["extra"] is None and _flasks(answer) == defaults


def _flasks(answer: Any) -> list[object]:
    return [answer[name] for name in ("cookie", "interface", "debug", "testing")]


def test_the_probe_turns_red_for_a_restart_only(volume: AtomicWriter, tmp_path: Path) -> None:
    """Refused content leaves every worker green; a restart key turns each of them red."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    volume.write(number(0))
    codes: dict[bool, set[int]] = {}
    with serving(GUNICORN, volume, tmp_path / "log") as port:

        def status() -> Any:
            code, body = ask(port, "/-/config")
            codes.setdefault(bool(body["restart_required"]), set()).add(code)
            return body

        workers: set[int] = set()

        def all_work() -> bool:
            workers.add(ask(port)[1]["pid"])
            return len(workers) == WORKERS

        # A worker that starts into content which is refused does not start at all.
        eventually(all_work, seconds=60)
        eventually(status, seconds=60)
        volume.write(number(1, MYAPP_BAD="@int no number"))
        eventually(lambda: status()["rejected"], seconds=30)
        volume.write(number(2, MYAPP_DATABASE="other"))
        eventually(lambda: status()["restart_required"] == ["DATABASE"], seconds=30)
    assert codes == {False: {200}, True: {503}}
