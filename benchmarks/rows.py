"""The rows of the table: ours, and beneath it what it is compared with."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from reloads import READS, SHAPED
from subjects import MOST_KEYS, SHAPES, content, mounted

HERE = Path(__file__).resolve().parent
RELOADS = {
    "ours": "this package",
    "one_changed": "this package, one key changed",
    "reading_alone": "reading the files alone",
    "reading_with_open": "reading them with open() alone",
    "dynaconf_alone": "settings.reload()",
    "by_hand": "files into os.environ, settings.reload()",
    "environ_alone": "writing os.environ alone",
}
SERVED = {
    "still": "settings that follow nothing",
    "ours": "this package",
    "by_hand": "watchdog, then settings.reload()",
}
STARTS = 15
SHOWN = (10, 20, 100, 1_000, 5_000, MOST_KEYS)
IDLE_MOUNTS = (0, 1, 20)
DELAYS = (  # what, who reloads, the pause between two milliseconds of work, how many reloads
    ("this package, work with pauses of 1 ms", "ours", 0.001, 20),
    ("this package, usual switch interval, with pauses", "usual_interval", 0.001, 20),
    ("the usual recipe, work with pauses of 1 ms", "by_hand", 0.001, 15),
    ("this package, work without a pause", "ours", 0, 15),
    ("the usual recipe, work without a pause", "by_hand", 0, 15),
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


def spread(*rounds: list[float]) -> str:
    """Write how long something took: half, 99 %, all of so many; of several rounds, the medians."""
    figures = [[_share(values, share) for share in (0.5, 0.99, 1)] for values in rounds]
    half, most, longest = (statistics.median(each) for each in zip(*figures, strict=True))
    several = f"{len(rounds)} x " if rounds[1:] else ""
    count = min(len(values) for values in rounds)
    return (
        f"{milliseconds(half)}, 99 % {milliseconds(most)}, longest {milliseconds(longest)} "
        f"of {several}{count:,}"
    )


def _share(values: list[float], share: float) -> float:
    """Give what so large a share of the values is not above."""
    return sorted(values)[int((len(values) - 1) * share)]


def milliseconds(seconds: float) -> str:
    """Write a duration."""
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
    size, unit = next(each for each in units if seconds >= each[0] or each[1] == "ns")
    return f"{seconds / size:.3g} {unit}"


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
        one = found[f"one_changed {keys}"]
        rows.append(Row(f"one of {keys:,} keys changed", one.shown))
        rows += [
            _against(RELOADS[way], one, found[f"{way} {keys}"])
            for way in ("reading_alone", "reading_with_open")
        ]
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


def of_shapes(found: dict[str, Measured]) -> list[Row]:
    """Compare shapes of keys with flat ones, and with dynaconf alone; first loads too."""
    rows: list[Row] = []
    for what, name, theirs in (
        ("reload", "of_shape", "settings.reload()"),
        ("first load", "first_load", "dynaconf alone"),
    ):
        for shape in SHAPES:
            for keys in SHAPED:
                ours, flat = found[f"{name} {shape} {keys}"], found[f"{name} flat {keys}"]
                rows.append(Row(f"{what}, {keys:,} keys, {shape}", ours.shown))
                if shape != "flat":
                    rows.append(_against("the same number, flat", ours, flat))
                rival = found.get(f"{name}_dynaconf {shape} {keys}")
                if rival is not None:
                    rows.append(_against(theirs, ours, rival))
    return rows


def of_reads(found: dict[str, Measured]) -> list[Row]:
    """Compare reads."""
    rows = []
    for name in READS:
        ours, plain = found[f"read {name} ours"], found[f"read {name} plain"]
        rows += [Row(f"read {name}", ours.shown), _against("dynaconf alone", ours, plain)]
    return rows


def of_starts() -> list[Row]:
    """Compare the processor time of a start with 20 keys."""
    with mounted(content(20, 0)) as writer:
        path = str(writer.directory)
        taken = [
            [child("at_rest.py", "start", who, path) for who in ("plain", "ours")]
            for _ in range(STARTS)
        ]
    plain, ours = (statistics.median(figures) for figures in zip(*taken, strict=True))
    return [
        Row("processor time of a start with 20 keys", milliseconds(ours)),
        Row("  dynaconf alone", milliseconds(plain), f"+ {milliseconds(ours - plain)}"),
    ]


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


def of_served(keys: int, swaps: int) -> list[Row]:
    """Compare how long requests take in the tenth of a second after each swap."""
    rows = [Row(f"gunicorn's requests beside {swaps} swaps of {keys:,} keys", "")]
    for who, what in SERVED.items():
        found = child("served.py", who, str(keys), str(swaps))
        rows.append(Row(f"  {what}", spread(found["beside"])))
        rows.append(Row("    the same server, apart from swaps", spread(found["apart"])))
    return rows


def of_delays(keys: int) -> list[Row]:
    """Tell how long 1 ms of work in another thread takes during reloads."""
    interval = f"switch interval {milliseconds(sys.getswitchinterval())}"
    rows = [Row(f"1 ms of work beside reloads of {keys:,} keys", f"({interval})")]
    for what, who, pause, reloads in DELAYS:
        found = child("delays.py", who, str(keys), str(pause), str(reloads))
        rows.append(Row(f"  {what}", spread(found["taken"])))
        rows.append(Row("    the worst beside each reload", spread(found["worst"])))
        rows.append(Row("    each reload meanwhile", spread(found["reloads"])))
        longest = (
            f", longest {milliseconds(max(found['collections']))}" if found["collections"] else ""
        )
        rows.append(Row("    collections of all garbage", f"{len(found['collections'])}{longest}"))
    return rows
