"""The rows of the table on arrival: the ways in turns, with all of a machine or a quota of it."""

from __future__ import annotations

import contextlib
import importlib.util
import statistics
from collections.abc import Sequence

from quota import cores
from rows import Row, child, milliseconds, spread

ARRIVALS = {
    "ours": "this package",
    "usual_interval": "this package, usual switch interval",
    "floor": "inotify, one file",
    "watchdog_alone": "watchdog, one file",
    "watchdog": "watchdog, then settings.reload()",
    "dynamic_config": "dynamic-config-py, one document",
    "dynamic_config_at_once": "dynamic-config-py, debounce 0",
    "pydantic_settings": "watchfiles, then pydantic-settings",
    "without_configmap": "without-configmap, one document",
}
UNDER_QUOTA = ("ours", "usual_interval", "watchdog")
QUOTAS = (0.5, 0.1)  # cores
ROUNDS = 5


def of_arrival(swaps: int) -> list[Row]:
    """Compare the time from the kubelet's rename to the new value in settings and environment."""
    delays, built = _arrivals([who for who in ARRIVALS if _can_be_had(who)], swaps)
    rows = [Row(f"arrival of 20 keys: {ARRIVALS['ours']}", spread(*delays["ours"]))]
    rows += [
        Row(f"  {ARRIVALS[who]}", spread(*taken)) for who, taken in delays.items() if who != "ours"
    ]
    rows.append(Row("  building one candidate, meanwhile", spread(*built)))
    ours, floor, build = map(_median, (delays["ours"], delays["watchdog_alone"], built))
    ratio = f"{ours / (floor + build):.2f} x"
    return [
        *rows,
        Row("  watchdog, one file, and such a build", milliseconds(floor + build), ratio),
    ]


def of_quotas(swaps: int) -> list[Row]:
    """Compare arrivals in a control group with a quota, where one can be made."""
    rows: list[Row] = []
    for share in QUOTAS:
        with cores(share) as group:
            if group is None:
                return [Row("arrival under a quota", "no control group can be made here")]
        delays, _ = _arrivals(UNDER_QUOTA, swaps, share)
        rows += [
            Row(f"arrival, {share} cores: {ARRIVALS[who]}", spread(*taken))
            for who, taken in delays.items()
        ]
    return rows


def _arrivals(
    ways: Sequence[str], swaps: int, share: float | None = None
) -> tuple[dict[str, list[list[float]]], list[list[float]]]:
    """Measure ways in turns, since a machine is not always alike; also give what ours has built."""
    delays: dict[str, list[list[float]]] = {who: [] for who in ways}
    built: list[list[float]] = []
    for _ in range(ROUNDS):
        for who in ways:
            with contextlib.nullcontext() if share is None else cores(share) as group:
                groups = [] if group is None else [str(group)]
                found = child("arrival.py", who, str(swaps // ROUNDS), *groups)
            delays[who].append(found["delays"])
            built += [found["built"]] if who == "ours" else []
    return delays, built


def _median(rounds: list[list[float]]) -> float:
    """Give the median of the rounds' medians."""
    return statistics.median(map(statistics.median, rounds))


def _can_be_had(who: str) -> bool:
    """Tell whether a way's package is there: one of them needs Python 3.14."""
    return who != "without_configmap" or importlib.util.find_spec(who) is not None
