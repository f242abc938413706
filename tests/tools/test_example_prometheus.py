"""The example of metrics: a real Prometheus, its rules, and what the dashboard asks for."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import dynaconf_k8s_reload
from docs_site import ROOT
from dynaconf_k8s_reload.testing import AtomicWriter
from servers import free_port, serving
from support import eventually

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")

HERE = ROOT / "examples" / "prometheus"
RULES = yaml.safe_load((HERE / "rules.yaml").read_text())["spec"]
DASHBOARD = json.loads((HERE / "dashboard.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
SERIES = re.compile(r"k8s_reload_\w+")

debian = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="Debian's package prometheus is not installed"
)


def promtool(*arguments: object, given: str = "", directory: Path) -> str:
    """Run promtool; give what it prints."""
    run = subprocess.run(
        ["promtool", *map(str, arguments)],
        cwd=directory,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_rules_and_dashboard_ask_for_documented_series() -> None:
    """Whatever they name is in the table of docs/metrics.md."""
    documented = set(SERIES.findall((ROOT / "docs" / "metrics.md").read_text()))
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    asked = {
        name.removesuffix("_bucket")
        for expression in [*rules, *EXPRESSIONS]
        for name in SERIES.findall(expression)
    }
    assert asked <= documented
    assert len(asked) > 7


def test_panels_stand_side_by_side() -> None:
    """Each has an id and a place of its own on the grid of 24 columns."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@debian
def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    """By promtool: valid, not before their time, and not after what they tell of has ended."""
    (tmp_path / "groups.yaml").write_text(yaml.safe_dump(RULES))
    shutil.copy(HERE / "rules_test.yaml", tmp_path)
    assert "SUCCESS: 5 rules found" in promtool("check", "rules", "groups.yaml", directory=tmp_path)
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yaml", directory=tmp_path)


@contextmanager
def prometheus(target: int, directory: Path) -> Iterator[int]:
    """Run Prometheus on the example, with rules that wait for a second only; give its port."""
    groups = json.loads(json.dumps(RULES))
    for rule in groups["groups"][0]["rules"]:
        rule["for"] = "1s"
    (directory / "groups.yaml").write_text(yaml.safe_dump(groups))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["groups.yaml"],
        "scrape_configs": [
            {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
        ],
    }
    (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with free_port() as port, (directory / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yaml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=directory,
            stdout=log,
            stderr=log,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(30)


def ask(port: int, path: str, **query: str) -> Any:
    """Ask Prometheus' API; nothing while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", f"/api/v1/{path}?{urlencode(query)}")
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError):
        return None
    finally:
        connection.close()
    assert answer["status"] == "success", answer
    return answer["data"]


def values(port: int, expression: str) -> list[float]:
    """Give the values of an instant query, in order."""
    found = ask(port, "query", query=expression)
    return sorted(float(each["value"][1]) for each in found["result"]) if found else []


def firing(port: int) -> set[str]:
    """Give the names of the alerts that fire."""
    found = ask(port, "alerts")
    alerts = found["alerts"] if found else []
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


@debian
@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
def test_prometheus_follows_the_example(volume: AtomicWriter, tmp_path: Path) -> None:
    """Two workers are scraped while it is edited; panels have data, alerts come and go."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    volume.write({"SHOP_POOL_SIZE": "10", "SHOP_DATABASE": "one"})
    shared = tmp_path / "shared"
    shared.mkdir()
    root = Path(dynaconf_k8s_reload.__file__).parents[1]
    variables = {
        **os.environ,
        "K8S_MOUNTS_FOR_DYNACONF": json.dumps([str(volume.directory)]),
        "PROMETHEUS_MULTIPROC_DIR": str(shared),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(root)]),
    }
    command = ["gunicorn", "--config", str(HERE / "gunicorn.conf.py"), "--bind", "fd://{fd}"]
    command += ["--no-control-socket", "app:application"]
    log = tmp_path / "log"
    with (
        serving(command, volume, log, variables, codes=(0, -signal.SIGTERM)) as target,
        prometheus(target, tmp_path) as port,
    ):
        eventually(lambda: values(port, "k8s_reload_generation") == [1, 1], 60, log.read_text)
        volume.write({"SHOP_POOL_SIZE": "20", "SHOP_DATABASE": "two"})
        eventually(lambda: values(port, "k8s_reload_generation") == [2, 2], 30)
        assert values(port, 'k8s_reload_reloads_total{outcome="applied"}') == [2]
        assert values(port, "k8s_reload_lag_seconds_count") == [2]
        eventually(lambda: firing(port) == {"ConfigRestartRequired"}, 30)
        volume.write({"SHOP_POOL_SIZE": "0", "SHOP_DATABASE": "two"})
        eventually(lambda: firing(port) == {"ConfigRestartRequired", "ConfigRefused"}, 30)
        assert values(port, "k8s_reload_last_reload_successful") == [0]
        volume.write({"SHOP_POOL_SIZE": "30", "SHOP_DATABASE": "two"})
        eventually(lambda: firing(port) == {"ConfigRestartRequired"}, 30)
        for expression in EXPRESSIONS:
            made = expression.replace("$job", ".*").replace("$__rate_interval", "1m")
            assert values(port, made), made
        lint = promtool("check", "metrics", given=exposition(target), directory=tmp_path)
        assert lint == ""


def exposition(port: int) -> str:
    """Give what the example shows."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics", headers={"Connection": "close"})
    text = connection.getresponse().read().decode()
    connection.close()
    return text
