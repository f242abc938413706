"""The plot of the benchmarks: one finding, readable on a phone, on a light or a dark page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

GREY = "#767676"  # a contrast of 4.5 on white, and on black
LINES = {  # name among the results: colour, label
    "of_shape one parent": ("#0e86d4", "this package"),
    "of_shape_dynaconf one parent": ("#d55e00", "settings.reload()"),
}
WIDE, HIGH, SIZE = 5.0, 4.6, 14  # inches and points: a phone's width


class Figure(Protocol):
    """What is known of one measurement."""

    @property
    def median(self) -> float:
        """Seconds."""


def draw(found: Mapping[str, Figure], path: Path) -> None:
    """Draw reloads of keys that are nested under one parent, by their number."""
    points = {
        name: [
            (int(key.removeprefix(name)), figure.median)
            for key, figure in found.items()
            if key.removeprefix(name).strip().isdigit()
        ]
        for name in LINES
    }
    times = {name: dict(each) for name, each in points.items()}
    most = max(times["of_shape_dynaconf one parent"])
    factor = times["of_shape_dynaconf one parent"][most] / times["of_shape one parent"][most]
    coloured = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = {**dict.fromkeys(coloured, GREY), "font.size": SIZE}
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(WIDE, HIGH), layout="constrained")
        for name, (colour, label) in LINES.items():
            axes.plot(*zip(*points[name], strict=True), marker="o", color=colour, linewidth=3)
            keys, seconds = points[name][-1]
            axes.annotate(
                label,
                (keys, seconds),
                xytext=(-8, 8),
                textcoords="offset points",
                color=colour,
                ha="right",
            )
        axes.set(xscale="log", yscale="log", xlabel="keys under one parent")
        axes.set_xticks(list(times["of_shape one parent"]))
        axes.xaxis.minorticks_off()
        axes.margins(y=0.2)  # or a label stands in the title
        axes.set_title(f"{most:,} nested keys reload\n{factor:.0f} times faster", fontsize=SIZE + 3)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g} s"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda keys, _: f"{keys:,.0f}"))
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=160, transparent=True)
        plt.close(figure)
