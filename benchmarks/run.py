"""Measure everything beside its rivals, in one run; print one table and draw one plot.

    ./test.sh -e benchmarks [-- --quick] [--plot FILE.png] [--table FILE.txt]

It takes about ten minutes on an idle machine; with ``--quick`` a few, for a look. To run it by
hand, install the package and the dependency group ``benchmarks``.
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
from reloads import READS
from subjects import MOST_KEYS

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
RELOADS = {
    "ours": "this package",
    "one_changed": "this package, one key changed",
    "reading_alone": "reading the files alone",
    "dynaconf_alone": "settings.reload()",
    "by_hand": "files into os.environ, settings.reload()",
    "environ_alone": "writing os.environ alone",
}
ARRIVALS = {
    "ours": "this package",
    "floor": "inotify, one file",
    "watchdog": "watchdog, then settings.reload()",
}
SHOWN = (10, 100, 1_000, 5_000, MOST_KEYS)
IDLE_MOUNTS = (0, 1, 20)
DELAYS = (  # what, who reloads, the pause between two milliseconds of work, how many reloads
    ("this package, work with pauses of 1 ms", "ours", 0.001, 20),
    ("this package, work without a pause", "ours", 0, 10),
    ("settings.reload(), work with pauses of 1 ms", "dynaconf", 0.001, 1),
)


class Measured(NamedTuple):
    """What pyperf found: the median and its deviation in seconds, and of how many values."""

    median: float
    deviation: float
    values: int

    @property
    def shown(self) -> str:
        """The figure for the table."""
        return f"{milliseconds(self.median)} +- {self.deviation / self.median:.0%} of {self.values}"


class Row(NamedTuple):
    """One line of the table: ours, or beneath it what it is compared with, and the ratio."""

    what: str
    figure: str
    ratio: str = ""


def child(*arguments: str) -> Any:
    """Run one of the programs beside this one, and give what it printed."""
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # imports are compiled once
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(run.stdout.splitlines()[-1])


def spread(values: list[float]) -> str:
    """Write how long something took: half, 99 %, all of so many."""
    ordered = sorted(values)
    half, most = (ordered[int((len(ordered) - 1) * share)] for share in (0.5, 0.99))
    return (
        f"{milliseconds(half)}, 99 % {milliseconds(most)}, longest {milliseconds(ordered[-1])} "
        f"of {len(ordered):,}"
    )


def milliseconds(seconds: float) -> str:
    """Write a duration."""
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
    size, unit = next(each for each in units if seconds >= each[0] or each[1] == "ns")
    return f"{seconds / size:.3g} {unit}"


def measured(quick: bool) -> dict[str, Measured]:  # noqa: FBT001 -- because it is the command's flag
    """Run what pyperf measures, by name."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "suite.json"
        fast = ["--fast"] if quick else []
        command = [sys.executable, str(HERE / "reloads.py"), "--quiet", "-o", str(output), *fast]
        subprocess.run([*command, "--inherit-environ", "PYTHONPATH"], check=True)
        suite = pyperf.BenchmarkSuite.load(str(output))
    return {
        bench.get_name(): Measured(bench.median(), bench.median_abs_dev(), bench.get_nvalue())
        for bench in suite.get_benchmarks()
    }


def of_reloads(found: dict[str, Measured]) -> list[Row]:
    """Compare reloads, by the number of keys."""
    rows: list[Row] = []
    for keys in SHOWN:
        ours = found[f"ours {keys}"]
        size = ", a mebibyte" if keys == MOST_KEYS else ""
        rows.append(Row(f"reload, {keys:,} keys{size}", ours.shown))
        for rival in ("dynaconf_alone", "by_hand"):
            theirs = found.get(f"{rival} {keys}")
            if theirs is not None:
                rows.append(_against(RELOADS[rival], ours, theirs))
    for keys in SHOWN:
        one, read = found[f"one_changed {keys}"], found[f"reading_alone {keys}"]
        rows.append(Row(f"one of {keys:,} keys changed", one.shown))
        rows.append(_against(RELOADS["reading_alone"], one, read))
    for keys in (5_000, MOST_KEYS):
        written = found[f"environ_alone {keys}"]
        rows.append(Row(f"of the reload of {keys:,} keys, the C library's setenv", written.shown))
    per_key = {keys: found[f"ours {keys}"].median / keys * 1e6 for keys in (100, 5_000)}
    rows.append(Row("a key of 5,000", f"{per_key[5_000]:.1f} us"))
    ratio = f"{per_key[5_000] / per_key[100]:.2f} x"
    rows.append(Row("  a key of 100", f"{per_key[100]:.1f} us", ratio))
    return rows


def _against(rival: str, ours: Measured, theirs: Measured) -> Row:
    return Row(f"  {rival}", theirs.shown, f"{ours.median / theirs.median:.3g} x")


def of_reads(found: dict[str, Measured]) -> list[Row]:
    """Compare reads."""
    rows = []
    for name in READS:
        ours, plain = found[f"read {name} ours"], found[f"read {name} plain"]
        rows += [Row(f"read {name}", ours.shown), _against("dynaconf alone", ours, plain)]
    return rows


def of_arrival(swaps: int) -> tuple[list[Row], dict[str, list[float]]]:
    """Compare the time from the kubelet's rename to the new value in settings and environment."""
    taken = {who: child("arrival.py", who, str(swaps)) for who in ARRIVALS}
    delays = {who: figures["delays"] for who, figures in taken.items()}
    rows = [Row(f"arrival of 20 keys: {ARRIVALS['ours']}", spread(delays["ours"]))]
    rows += [Row(f"  {ARRIVALS[who]}", spread(delays[who])) for who in ("floor", "watchdog")]
    ours, floor = statistics.median(delays["ours"]), statistics.median(delays["floor"])
    build = statistics.median(taken["ours"]["built"])
    rows += [
        Row("  building one candidate, meanwhile", spread(taken["ours"]["built"])),
        Row(
            "  2 floors + 1 build",
            milliseconds(2 * floor + build),
            f"{ours / (2 * floor + build):.2f} x",
        ),
        Row(
            "  2 x (floor + build)",
            milliseconds(2 * (floor + build)),
            f"{ours / 2 / (floor + build):.2f} x",
        ),
    ]
    return rows, delays


def of_rest(seconds: float) -> list[Row]:
    """Tell what it costs while nothing changes, and at import."""
    idle = {
        mounts: child("at_rest.py", "idle", str(mounts), str(seconds)) for mounts in IDLE_MOUNTS
    }
    rows = [
        Row(
            f"idle for {seconds:.0f} s: a program alone",
            f"{idle[0]['used'] / seconds:.4%} of a core",
        )
    ]
    for mounts in IDLE_MOUNTS[1:]:
        used, own = idle[mounts]["used"], idle[mounts]["threads"]
        figure = f"{used / seconds:.4%} of a core, {own:.0f} own threads"
        rows.append(Row(f"  following {mounts} mount{'s' if mounts > 1 else ''}", figure))
    imports = [child("at_rest.py", "import") for _ in range(21)][1:]
    rows.append(Row("import of the loader, beyond dynaconf and watchdog", spread(imports)))
    return rows


def of_delays(keys: int) -> list[Row]:
    """Tell how long 1 ms of work in another thread takes during reloads."""
    interval = f"switch interval {milliseconds(sys.getswitchinterval())}"
    rows = [Row(f"1 ms of work beside reloads of {keys:,} keys", f"({interval})")]
    for what, who, pause, reloads in DELAYS:
        found = child("delays.py", who, str(keys), str(pause), str(reloads))
        rows.append(Row(f"  {what}", spread(found["taken"])))
        rows.append(Row("    each reload meanwhile", spread(found["reloads"])))
        longest = (
            f", longest {milliseconds(max(found['collections']))}" if found["collections"] else ""
        )
        rows.append(Row("    collections of all garbage", f"{len(found['collections'])}{longest}"))
    return rows


def draw(found: dict[str, Measured], arrived: dict[str, list[float]], path: Path) -> None:
    """Draw reloads by the number of keys, and the arrivals."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, label in RELOADS.items():
        points = [(n, found[f"{name} {n}"].median) for n in SHOWN if f"{name} {n}" in found]
        left.plot(*zip(*points, strict=True), marker="o", label=label)
    left.set(xscale="log", yscale="log", xlabel="keys", ylabel="seconds", title="One reload")
    left.legend(fontsize=8)
    for who, values in arrived.items():
        ordered = sorted(value * 1e3 for value in values)
        share = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
        right.plot(ordered, share, label=ARRIVALS[who])
    right.set(xscale="log", xlabel="ms", ylabel="% of the swaps", title="From rename to visible")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def table(rows: list[Row]) -> str:
    """Lay the rows out; a ratio is ours to what stands in its line."""
    return "\n".join(f"{row.what:54} {row.figure:44} {row.ratio}".rstrip() for row in rows)


def header() -> str:
    """Name the machine and the versions."""
    names = ("dynaconf-k8s-reload", "dynaconf", "watchdog", "pyperf")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {processor()}"
    return (
        f"{machine}, {os.cpu_count()} cores\nPython {platform.python_version()}, {versions}\n"
        "Medians, +- the median deviation, of so many values; x: ours to what stands in that line"
    )


def processor() -> str:
    """Name the kind of processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else "unknown processor"


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs, for a look")
    parser.add_argument("--plot", type=Path, default=Path("benchmarks.png"))
    parser.add_argument("--table", type=Path, default=Path("benchmarks.txt"))
    args = parser.parse_args()
    found = measured(args.quick)
    arrival, arrived = of_arrival(300 if args.quick else 1000)
    rows = [*of_reloads(found), *arrival, *of_reads(found)]
    rows += [*of_rest(10 if args.quick else 30), *of_delays(5_000)]
    text = f"{header()}\n\n{table(rows)}\n"
    print(text)
    args.table.write_text(text)
    draw(found, arrived, args.plot)


if __name__ == "__main__":
    main()
