"""examples/fastapi: the application under uvicorn, over HTTP, and its manifests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import dynaconf_k8s_reload
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import ask, serving
from support import eventually

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fastapi"
UVICORN = ["uvicorn", "--fd", "{fd}", "--workers", "2", "--no-access-log", "app:app"]
STATUS = "/-/config"


def manifest(name: str) -> Any:
    return yaml.safe_load((EXAMPLE / f"{name}.yaml").read_text())


DATA: dict[str, str] = manifest("configmap")["data"]


@pytest.fixture
def port(volume: AtomicWriter, tmp_path: Path) -> Iterator[int]:
    """The example, with both workers ready."""
    pytest.importorskip("fastapi", reason="FastAPI is not installed")
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    volume.write(DATA)
    root = Path(dynaconf_k8s_reload.__file__).parents[1]
    variables = {
        **os.environ,
        "CONFIG_DIR": str(volume.directory),
        "PYTHONPATH": os.pathsep.join([str(EXAMPLE), str(root)]),
    }
    with serving(UVICORN, volume, tmp_path / "log", variables) as port:
        eventually(lambda: set(amounts(port)) == {180.0}, seconds=60)
        yield port


def amounts(port: int) -> list[float]:
    """Give the prices of two workers; of one, if the other does not answer."""
    answers: dict[int, float] = {}
    for _ in range(40):
        status, answer = ask(port, "/price")
        assert status == 200
        answers[answer["worker"]] = answer["amount"]
    return list(answers.values())


def test_both_workers_follow(volume: AtomicWriter, port: int) -> None:
    """Prices, the log level and the status; what a validator refuses changes nothing."""
    eventually(lambda: len(amounts(port)) == 2, seconds=60)
    volume.write({**DATA, "SHOP_DISCOUNT": "50", "SHOP_LOG_LEVEL": "DEBUG"})
    eventually(lambda: amounts(port) == [100.0, 100.0], seconds=60)
    eventually(lambda: {ask(port, "/level")[1]["level"] for _ in range(20)} == {"DEBUG"}, 60)
    volume.write({**DATA, "SHOP_DISCOUNT": "99"})
    eventually(lambda: any(ask(port, f"{STATUS}/")[1]["rejected"] for _ in range(10)), seconds=60)
    for path in (f"{STATUS}/", f"{STATUS}/live", f"{STATUS}/ready"):
        assert ask(port, path)[0] == 200
    assert set(amounts(port)) == {100.0}
    volume.write(DATA)
    eventually(lambda: set(amounts(port)) == {180.0}, seconds=60)


def test_a_price_is_of_one_generation(volume: AtomicWriter, port: int) -> None:
    """Price and discount change together, so that only mixed ones give another amount."""
    wrong: list[float] = []
    done = threading.Event()

    def request() -> None:
        while not done.is_set():
            wrong.extend(amount for amount in amounts(port) if amount != 180.0)

    clients = [threading.Thread(target=request) for _ in range(4)]
    for client in clients:
        client.start()
    for _ in range(20):
        for price, discount in (("360", "50"), ("200", "10")):
            volume.write({**DATA, "SHOP_PRICE": price, "SHOP_DISCOUNT": discount})
            before = ask(port, f"{STATUS}/")[1]["generation"]
            eventually(lambda b=before: ask(port, f"{STATUS}/")[1]["generation"] >= b, seconds=60)  # type: ignore[misc] # reason: mypy knows no lambda with a default
    done.set()
    for client in clients:
        client.join()
    assert wrong == []


def test_the_manifests_fit_the_application() -> None:
    """Every key is of its prefix, the volume is its ConfigMap, the probes ask what they should."""
    assert all(name.startswith("SHOP_") for name in DATA)
    spec = manifest("deployment")["spec"]["template"]["spec"]
    (container,), (volume,) = spec["containers"], spec["volumes"]
    assert volume["configMap"]["name"] == manifest("configmap")["metadata"]["name"]
    assert container["volumeMounts"][0]["mountPath"] == "/config"
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in PROBES}
    assert probes == PROBES


PROBES = {
    "startup": f"{STATUS}/ready",
    "liveness": f"{STATUS}/live",
    "readiness": f"{STATUS}/ready",
}
