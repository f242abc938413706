"""An ASGI application on plain dynaconf settings, under uvicorn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload.testing import AtomicWriter
from servers import Clients, ask, serving
from support import eventually

UVICORN = ["uvicorn", "--fd", "{fd}", "--no-access-log", "asgi_app:app"]


def number(value: int, **more: str) -> dict[str, str]:
    """A payload whose two numbers belong together."""
    return {"NUMBER": str(value), "TWIN": str(value), **more}


def check(answer: Any, _: object) -> object:
    """Say what no request may have seen."""
    return f"two generations: {answer}" if len(set(answer["one_generation"])) > 1 else None


@pytest.fixture
def port(volume: AtomicWriter, tmp_path: Path) -> Iterator[int]:
    """The application, ready."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="starlette is not installed")
    volume.write(number(0))
    with serving(UVICORN, volume, tmp_path / "log") as port:
        assert ask(port)[1]["number"] == 0  # once it has started
        yield port


def test_requests_and_the_lifespan_follow(volume: AtomicWriter, port: int) -> None:
    """Settings and variables are the mount's; ``async for`` on the loop sees each change."""
    volume.write(number(1, EXTRA="x"))
    eventually(lambda: ask(port)[1]["number"] == 1, seconds=30)
    assert ask(port)[1]["extra"] == ask(port)[1]["variable"] == "x"
    volume.write(number(1))
    eventually(lambda: ask(port)[1]["extra"] is None, seconds=30)
    eventually(lambda: ask(port)[1]["seen"].count("EXTRA") == 2, seconds=30)
    assert ask(port)[1]["variable"] is None


def test_the_event_loop_answers_during_a_slow_check(volume: AtomicWriter, port: int) -> None:
    """A check that is not done before ten requests are, in the watching thread, holds up none."""
    volume.write(number(1, REQUESTS="10"))
    eventually(lambda: ask(port)[1]["checking"], seconds=30)
    answers = 0
    while (answer := ask(port)[1])["checking"]:
        assert answer["number"] == 0  # nothing is published before the check is done
        answers += 1
    assert answers >= 5
    eventually(lambda: ask(port)[1]["number"] == 1, seconds=30)


@pytest.mark.heavy
def test_every_request_sees_one_generation(volume: AtomicWriter, port: int) -> None:
    """A key is changed, added and deleted under load; no request fails."""
    with Clients(port, check) as clients:
        for value in range(1, 31):
            volume.write(number(value, EXTRA="x"))
            eventually(lambda: clients.all(1, lambda a: a["extra"] == "x"), seconds=30)
            volume.write(number(value + 100))
            eventually(lambda: clients.all(1, lambda a: a["extra"] is None), seconds=30)
    assert clients.problems == []
    print(f"{clients.requests} requests, 60 swaps, none failed")
