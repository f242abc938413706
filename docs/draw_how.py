# noqa: INP001 -- because it is a program, not a package
"""Draw docs/how.svg: the swap that the kubelet makes, and the reload that follows from it.

Writes docs/how.svg, or the file that is given as argument.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

DIAGRAM = Path(__file__).with_name("how.svg")

WIDTH, HEIGHT = 940, 560
TOP = 64
LEFT, LEFT_WIDTH = 20, 400
RIGHT, RIGHT_WIDTH = 490, 430
LINE, PADDING = 20, 14
STEP, STEP_GAP = 50, 10

STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2933 }
.head { font-weight: 600; font-size: 16px }
.code { font: 13px ui-monospace, monospace; white-space: pre }
.small { font-size: 12.5px; fill: #52606d }
.bold { font-weight: 600 }
.new { fill: #0b6e4f; font-weight: 600 }
.bad { fill: #b42318 }
rect { fill: #f7f9fb; stroke: #9aa5b1; rx: 6 }
rect.page { fill: #fff; stroke: none }
rect.new { fill: #e8f6f0; stroke: #0b6e4f }
line, path { stroke: #52606d; stroke-width: 1.5; fill: none; marker-end: url(#tip) }
"""

ARROW = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 L8 4 L0 8 z" style="fill:#52606d;stroke:none;marker-end:none"/>'
    "</marker>"
)


class Stage(NamedTuple):
    """What the volume looks like at one moment."""

    title: str
    lines: tuple[str, ...]
    new: tuple[str, ...] = ()


class Step(NamedTuple):
    """One step of a reload; one that may refuse ends it."""

    title: str
    detail: str
    may_refuse: bool = False


STAGES = (
    Stage(
        "a volume, as the process sees it",
        (
            "/config/KEY     -> ..data/KEY",
            "/config/..data  -> ..2026_11_23_05_26",
            "/config/..2026_11_23_05_26/KEY   VAL1",
        ),
    ),
    Stage(
        "an update is written beside it",
        ("/config/..2026_11_23_06_10/KEY   NEW_VAL1", "/config/..data_tmp -> ..2026_11_23_06_10"),
        new=("/config/..2026_11_23_06_10/KEY   NEW_VAL1",),
    ),
    Stage(
        "one rename publishes all keys at once",
        ("rename  ..data_tmp  ->  ..data", "then the old directory is removed"),
        new=("rename  ..data_tmp  ->  ..data",),
    ),
)

STEPS = (
    Step("Compare", "an event is a hint; without one, every 30 s: has ..data moved?"),
    Step("Read", "every mount, each from one generation", may_refuse=True),
    Step("Build", "new settings aside, with the environment as it will be", may_refuse=True),
    Step("Validate", "dynaconf's validators, then on_validate", may_refuse=True),
    Step("Mirror", "the variables that differ, into os.environ"),
    Step("Publish", "one assignment: the next read sees all of it"),
    Step("Tell", "on_change and signals, in a thread of their own"),
)

REFUSED = (
    "A step that refuses ends the reload: nothing has changed,",
    "and the last good generation serves on.",
)


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Write words at a point."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def draw_swap() -> list[str]:
    """Draw the stages of an update, one beneath the other."""
    drawn = [text(LEFT, TOP - 24, "What the kubelet does", "head")]
    y = TOP
    for number, stage in enumerate(STAGES):
        height = PADDING * 2 + LINE * (len(stage.lines) + 1)
        drawn.append(
            f'<rect x="{LEFT}" y="{y}" width="{LEFT_WIDTH}" height="{height}" '
            f'class="{"new" if number == len(STAGES) - 1 else ""}"/>'
        )
        drawn.append(text(LEFT + PADDING, y + PADDING + 10, stage.title, "bold"))
        for row, line in enumerate(stage.lines, 1):
            kind = "code new" if line in stage.new else "code"
            drawn.append(text(LEFT + PADDING, y + PADDING + 12 + LINE * row, line, kind))
        y += height + 40
        if number < len(STAGES) - 1:
            middle = LEFT + LEFT_WIDTH / 2
            drawn.append(f'<line x1="{middle}" y1="{y - 36}" x2="{middle}" y2="{y - 6}"/>')
    across = y - 40 - 50
    first = TOP + STEP / 2
    drawn.append(
        f'<path d="M{LEFT + LEFT_WIDTH + 4} {across} H{RIGHT - 36} V{first} H{RIGHT - 6}"/>'
    )
    return drawn


def draw_reload() -> list[str]:
    """Draw the steps of a reload, and where it may end without any effect."""
    drawn = [text(RIGHT, TOP - 24, "What a process does", "head")]
    for number, step in enumerate(STEPS):
        y = TOP + number * (STEP + STEP_GAP)
        kind = "new" if step.title == "Publish" else ""
        drawn += [
            f'<rect x="{RIGHT}" y="{y}" width="{RIGHT_WIDTH}" height="{STEP}" class="{kind}"/>',
            text(RIGHT + PADDING, y + 21, f"{number + 1}. {step.title}", "bold"),
            text(RIGHT + PADDING, y + 39, step.detail, "small"),
        ]
        if step.may_refuse:
            drawn.append(text(RIGHT + RIGHT_WIDTH - 80, y + 21, "may refuse", "small bad"))
    drawn += [
        text(RIGHT, HEIGHT - 52, REFUSED[0], "small bad"),
        text(RIGHT, HEIGHT - 34, REFUSED[1], "small bad"),
    ]
    return drawn


def draw() -> str:
    """Give the whole diagram."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "<title>From the swap of a volume to the settings of a process</title>",
            f"<style>{STYLE}</style>",
            f"<defs>{ARROW}</defs>",
            f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
            *draw_swap(),
            *draw_reload(),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DIAGRAM
    target.write_text(draw(), encoding="utf-8")
