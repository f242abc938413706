# noqa: INP001 -- because it is a program, not a package
"""Draw docs/_static/how-*.svg: the swap that the kubelet makes, and the reload that follows.

Light and dark; side by side and, for a phone, one beneath the other.
"""

from __future__ import annotations

from typing import NamedTuple

from pictures import STATIC, Theme, box, diagram, text, variants

TOP = 64
SWAP_WIDTH, RELOAD_WIDTH = 400, 430
GAP = 70
LINE, PADDING = 20, 14
STEP, STEP_GAP = 50, 10
BETWEEN = 40


class Stage(NamedTuple):
    """What the volume looks like at one moment."""

    title: str
    lines: tuple[str, ...]
    new: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """How high it is drawn."""
        return PADDING * 2 + LINE * (len(self.lines) + 1)


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
    Step("Notify", "on_change and signals, in a thread of their own"),
)

REFUSED = (
    "A step that refuses ends the reload: nothing has changed,",
    "and the last good generation goes on serving.",
)

SWAP_HEIGHT = TOP + sum(stage.height for stage in STAGES) + BETWEEN * (len(STAGES) - 1)
RELOAD_HEIGHT = TOP + len(STEPS) * (STEP + STEP_GAP) + 60


def draw_swap() -> list[str]:
    """Draw the stages of an update, one beneath the other, at the left edge."""
    drawn = [text(0, TOP - 24, "What the kubelet does", "head")]
    y = TOP
    for number, stage in enumerate(STAGES):
        is_last = number == len(STAGES) - 1
        drawn.append(box(0, y, SWAP_WIDTH, stage.height, "new" if is_last else ""))
        drawn.append(text(PADDING, y + PADDING + 10, stage.title, "bold"))
        for row, line in enumerate(stage.lines, 1):
            kind = "code new" if line in stage.new else "code"
            drawn.append(text(PADDING, y + PADDING + 12 + LINE * row, line, kind))
        y += stage.height + BETWEEN
        if not is_last:
            middle = SWAP_WIDTH // 2
            drawn.append(f'<line x1="{middle}" y1="{y - 36}" x2="{middle}" y2="{y - 6}"/>')
    return drawn


def draw_reload(x: int, top: int) -> list[str]:
    """Draw the steps of a reload, and where it may end without any effect."""
    drawn = [text(x, top - 24, "What a process does", "head")]
    for number, step in enumerate(STEPS):
        y = top + number * (STEP + STEP_GAP)
        drawn += [
            box(x, y, RELOAD_WIDTH, STEP, "new" if step.title == "Publish" else ""),
            text(x + PADDING, y + 21, f"{number + 1}. {step.title}", "bold"),
            text(x + PADDING, y + 39, step.detail, "small"),
        ]
        if step.may_refuse:
            drawn.append(text(x + RELOAD_WIDTH - 80, y + 21, "may refuse", "small bad"))
    below = top + len(STEPS) * (STEP + STEP_GAP) + 14
    return [*drawn, *(text(x, below + 18 * n, line, "small bad") for n, line in enumerate(REFUSED))]


def draw(theme: Theme, *, narrow: bool) -> str:
    """Give the whole picture."""
    swapped = SWAP_HEIGHT - STAGES[-1].height // 2
    if narrow:
        x, top = 0, SWAP_HEIGHT + 24 + TOP
        width, height = RELOAD_WIDTH + 4, SWAP_HEIGHT + 24 + RELOAD_HEIGHT
        arrow = ""
    else:
        x, top = SWAP_WIDTH + GAP, TOP
        width, height = SWAP_WIDTH + GAP + RELOAD_WIDTH + 4, max(SWAP_HEIGHT, RELOAD_HEIGHT)
        turn, first = SWAP_WIDTH + GAP // 2, TOP + STEP // 2
        arrow = f'<path d="M{SWAP_WIDTH + 4} {swapped} H{turn} V{first} H{x - 6}"/>'
    title = "From the swap of a volume to the settings of a process"
    return diagram(title, theme, (width, height), [*draw_swap(), arrow, *draw_reload(x, top)])


def pictures() -> dict[str, str]:
    """Give each picture by its name."""
    return variants("how", draw)


if __name__ == "__main__":
    for name, drawn in pictures().items():
        (STATIC / name).write_text(drawn, encoding="utf-8")
