"""Django under gunicorn and uvicorn, with requests running throughout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from django_project import environment
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import Clients, ask, serving
from support import eventually

pytestmark = pytest.mark.heavy
pytest.importorskip("django", reason="Django is not installed")

UPDATES = 15
GUNICORN = (
    *("gunicorn", "--workers", "2", "--worker-class", "gthread", "--threads", "4"),
    *("--no-control-socket", "--bind", "fd://{fd}", "project.wsgi"),
)
UVICORN = (
    "uvicorn",
    "--fd",
    "{fd}",
    "--lifespan",
    "off",
    "--no-access-log",
    "project.asgi:application",
)


def check(answer: Any, before: Mapping[int, Any]) -> object:
    """Say whether an answer mixes generations, or its process went back in time."""
    first, second = answer["pair"]
    earlier = before.get(answer["pid"])
    if first != second or (earlier is not None and first < earlier["pair"][0]):
        return (earlier, answer)
    return None


@pytest.mark.parametrize(
    ("server", "workers"), [(GUNICORN, 2), (UVICORN, 1)], ids=["gunicorn", "uvicorn"]
)
def test_no_request_fails_or_sees_two_generations(
    volume: AtomicWriter, tmp_path: Path, server: tuple[str, ...], workers: int
) -> None:
    """A key is changed, added and deleted again; then the hosts change, and the old is refused."""
    pytest.importorskip(server[0], reason=f"{server[0]} is not installed")

    def content(number: int, *hosts: str) -> dict[str, str]:
        return {
            "DJANGO_ALLOWED_HOSTS": json.dumps(["stays.example", *hosts]),
            "DJANGO_FIRST": str(number),
            "DJANGO_SECOND": str(number),
            **({"DJANGO_EXTRA": str(number), "DJANGO_DEBUG": "true"} if number % 3 == 1 else {}),
        }

    log = tmp_path / "log"
    volume.write(content(0, "old.example"))
    variables = environment(volume.directory)
    with serving(server, volume, log, variables, tracebacks=True) as port:
        with Clients(
            port, check, newest=lambda a: a["pair"][0], host="stays.example", connections=6
        ) as clients:

            def all_serve(number: int, extra: int | None) -> bool:
                expected = ([number, number], extra)
                return clients.all(workers, lambda a: (a["pair"], a["extra"]) == expected)

            eventually(lambda: clients.all(workers, lambda _: True), 60, else_show=log.read_text)
            for number in range(1, UPDATES + 1):
                volume.write(content(number, "old.example"))
                expected = number if number % 3 == 1 else None
                eventually(
                    lambda n=number, e=expected: all_serve(n, e),  # type: ignore[misc] # reason: mypy knows no lambda with a default
                    30,
                    else_show=lambda: clients.answers,
                )
            assert ask(port, host="old.example")[0] == 200
            assert ask(port, host="new.example")[0] == 400
            volume.write(content(UPDATES + 1, "new.example"))
            eventually(lambda: all_serve(UPDATES + 1, UPDATES + 1), 30)
            for _ in range(10):
                assert ask(port, host="old.example")[0] == 400
                assert ask(port, host="new.example")[0] == 200
        assert len(clients.answers) == workers  # none was started again
        assert clients.problems == []
    assert "dynaconf_k8s_reload" not in log.read_text()  # no warning of it, no frame in a traceback
    print(f"{server[0]}: {UPDATES + 1} updates, {clients.requests} requests, none failed")
