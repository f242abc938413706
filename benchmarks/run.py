"""Measure everything beside its rivals, in one run; print one table and draw one plot.

    python benchmarks/run.py [--quick] [--plot docs/benchmarks.png] [--table docs/benchmarks.txt]

It takes about ten minutes on an idle machine; with ``--quick`` a few, for a look. It needs the
dependency group ``benchmarks``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import pyperf

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
RELOADS = {
    "ours": "this package",
    "one_changed": "this package, one key changed",
    "reading_alone": "reading the files alone",
    "dynaconf_alone": "settings.reload()",
    "by_hand": "files into os.environ, settings.reload()",
}
ARRIVALS = {
    "ours": "this package",
    "floor": "inotify, one file",
    "watchdog": "watchdog, settings.reload()",
}
SHOWN = (10, 100, 1_000, 5_000, 10_000)
IDLE_MOUNTS = (0, 1, 20)


class Row(NamedTuple):
    """One line of the table."""

    what: str
    figure: str
    beside: str = ""
    ratio: str = ""


def child(*arguments: str) -> Any:
    """Run one of the programs beside this one, and give what it printed."""
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # imports are compiled once
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(run.stdout.splitlines()[-1])


def percentile(values: list[float], percent: float) -> float:
    """Give the value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def milliseconds(seconds: float) -> str:
    """Write a duration."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def medians(quick: bool) -> dict[str, float]:  # noqa: FBT001 -- because it is the command's flag
    """Run what pyperf measures; give each benchmark's median."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "suite.json"
        fast = ["--fast"] if quick else []
        command = [sys.executable, str(HERE / "reloads.py"), "--quiet", "-o", str(output), *fast]
        subprocess.run([*command, "--inherit-environ", "PYTHONPATH"], check=True)
        suite = pyperf.BenchmarkSuite.load(str(output))
    return {bench.get_name(): bench.median() for bench in suite.get_benchmarks()}


def of_reloads(median: dict[str, float]) -> list[Row]:
    """Compare reloads, by the number of keys."""
    rows: list[Row] = []
    for keys in SHOWN:
        ours = median[f"ours {keys}"]
        for rival in ("dynaconf_alone", "by_hand"):
            theirs = median.get(f"{rival} {keys}")
            if theirs is not None:
                beside = f"{RELOADS[rival]} {milliseconds(theirs)}"
                faster = f"{theirs / ours:.2f} x as fast"
                rows.append(Row(f"reload, {keys} keys", milliseconds(ours), beside, faster))
        one, read = median[f"one_changed {keys}"], median[f"reading_alone {keys}"]
        rows.append(
            Row(
                f"one of {keys} keys changed",
                milliseconds(one),
                f"{RELOADS['reading_alone']} {milliseconds(read)}",
                f"{one / read:.2f} x the time",
            )
        )
    large, small = median["ours 5000"] / 5000, median["ours 100"] / 100
    figure = f"{large * 1e6:.1f} us of 5000"
    rows.append(
        Row("time for each key", figure, f"{small * 1e6:.1f} us of 100", f"{large / small:.2f} x")
    )
    return rows


def of_reads(median: dict[str, float]) -> list[Row]:
    """Compare reads."""
    names = [name for name in median if name.startswith("read ") and name.endswith(" ours")]
    rows = []
    for name in names:
        what = name.removesuffix(" ours")
        ours, plain = median[name], median[f"{what} plain"]
        beside = f"dynaconf alone {plain * 1e9:.0f} ns"
        rows.append(Row(what, f"{ours * 1e9:.0f} ns", beside, f"{ours / plain:.2f} x the time"))
    return rows


def of_arrival(swaps: int, build: float) -> tuple[list[Row], dict[str, list[float]]]:
    """Compare the time from the kubelet's rename to the new value in settings and environment."""
    taken = {who: child("arrival.py", who, str(swaps)) for who in ARRIVALS}
    half = {who: statistics.median(values) for who, values in taken.items()}
    beside = (
        f"inotify and one file {milliseconds(half['floor'])}; one reload of 20 keys "
        f"{milliseconds(build)}; watchdog and reload() {milliseconds(half['watchdog'])}"
    )
    allowed = 2 * half["floor"] + build
    figure = milliseconds(half["ours"])
    ratio = f"{half['ours'] / allowed:.2f} x (2 floors + reload)"
    late = milliseconds(percentile(taken["ours"], 99))
    rows = [
        Row(f"arrival, median of {len(taken['ours'])}", figure, beside, ratio),
        Row("arrival, 99 %", late, f"watchdog {milliseconds(percentile(taken['watchdog'], 99))}"),
    ]
    return rows, taken


def of_rest(seconds: float) -> list[Row]:
    """Tell what it costs while nothing changes, and at import."""
    rows = []
    idle = {
        mounts: child("at_rest.py", "idle", str(mounts), str(seconds)) for mounts in IDLE_MOUNTS
    }
    for mounts in IDLE_MOUNTS[1:]:
        used, own = idle[mounts]["used"], idle[mounts]["threads"]
        figure = f"{used / seconds:.4%} of a core, {own:.0f} own threads"
        beside = f"without {idle[0]['used'] / seconds:.4%}"
        rows.append(Row(f"idle, {mounts} mounts, {seconds:.0f} s", figure, beside))
    imports = [child("at_rest.py", "import") for _ in range(11)][1:]
    rows.append(Row("import of the loader, median of 10", milliseconds(statistics.median(imports))))
    return rows


def of_delays(keys: int) -> list[Row]:
    """Tell how long 1 ms of work in another thread takes during reloads."""
    taken = child("at_rest.py", "delays", str(keys))
    figures = ", ".join(f"{p:g} % {percentile(taken, p) * 1e3:.1f}" for p in (50, 90, 99, 100))
    interval = f"switch interval {sys.getswitchinterval() * 1e3:.0f} ms"
    return [Row(f"1 ms of work beside reloads of {keys} keys", f"{figures} ms", interval)]


def draw(median: dict[str, float], taken: dict[str, list[float]], path: Path) -> None:
    """Draw reloads by the number of keys, and the arrivals."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, label in RELOADS.items():
        points = [
            (n, median[f"{name} {n}"])
            for n in (10, 100, 1000, 5000, 10000)
            if f"{name} {n}" in median
        ]
        left.plot(*zip(*points, strict=True), marker="o", label=label)
    left.set(xscale="log", yscale="log", xlabel="keys", ylabel="seconds", title="One reload")
    left.legend(fontsize=8)
    for who, values in taken.items():
        ordered = sorted(value * 1e3 for value in values)
        share = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
        label = {"ours": "this package", "floor": "inotify, one file"}.get(
            who, "watchdog, reload()"
        )
        right.plot(ordered, share, label=label)
    right.set(xscale="log", xlabel="ms", ylabel="% of the swaps", title="From rename to visible")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def table(rows: list[Row]) -> str:
    """Lay the rows out, each on one line and its comparison beneath."""
    lines = []
    for row in rows:
        lines.append(f"{row.what:44} {row.figure}")
        if row.beside:
            lines.append(f"{'':46}{row.beside}{': ' + row.ratio if row.ratio else ''}")
    return "\n".join(lines)


def header() -> str:
    """Name the machine and the versions."""
    names = ("dynaconf-k8s-reload", "dynaconf", "watchdog", "pyperf")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return f"{machine}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs, for a look")
    parser.add_argument("--plot", type=Path, default=Path("benchmarks.png"))
    parser.add_argument("--table", type=Path, default=Path("benchmarks.txt"))
    args = parser.parse_args()
    median = medians(args.quick)
    arrived, taken = of_arrival(300 if args.quick else 1000, median["ours 20"])
    rows = [*of_reloads(median), *arrived, *of_reads(median)]
    rows += [*of_rest(10 if args.quick else 30), *of_delays(5000)]
    text = f"{header()}\n\n{table(rows)}\n"
    print(text)
    args.table.write_text(text)
    draw(median, taken, args.plot)


if __name__ == "__main__":
    main()
