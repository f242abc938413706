"""Measure everything beside its rivals, in one run; print one table and draw one plot.

    ./test.sh -e benchmarks [-- --quick] [--plot FILE.png] [--table FILE.txt]

It takes about half an hour on an idle machine; with ``--quick`` a few, for a look. To run it by
hand, install the package and the dependency group ``benchmarks``.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pyperf
from arrivals import of_arrival, of_quotas
from plot import draw
from rows import (
    HERE,
    Measured,
    Row,
    of_delays,
    of_reads,
    of_reloads,
    of_rest,
    of_served,
    of_shapes,
    of_starts,
)


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
    swaps = 300 if args.quick else 1000
    rows = [*of_reloads(found), *of_shapes(found), *of_arrival(swaps), *of_quotas(swaps)]
    rows += [*of_reads(found), *of_starts()]
    rows += [*of_rest(10 if args.quick else 30), *of_delays(1_000)]
    rows += of_served(1_000, 10 if args.quick else 40)
    text = f"{header()}\n\n{table(rows)}\n"
    print(text)
    args.table.write_text(text)
    draw(found, args.plot)


if __name__ == "__main__":
    main()
