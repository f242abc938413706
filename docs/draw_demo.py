# noqa: INP001 -- because it is a program, not a package
"""Draw the moving picture of the first page: an edited manifest, and the process that answers.

Reads docs/recordings/demo.cast, which `record_demo.py` writes, and draws docs/_static/demo-*.svg:
light and dark, wide and, for a phone, narrow. Whoever prefers no motion sees the last moment.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from pictures import STATIC, THEMES, Theme, box, text
from record_demo import EDITS, EXAMPLE, RECORDINGS

SHOWN_BEFORE = 1.0  # seconds before the first edit
REST = 4.0  # seconds on the last moment
LINE, PADDING, BAR, GAP = 22, 16, 34, 16
WORDS = {"modified": "good", "removed": "good", None: "bad"}


class Layout(NamedTuple):
    """Where the two panes are."""

    width: int
    left: int
    right: int
    rows: int
    stacked: bool

    def height(self, rows: int) -> int:
        """Give the height of a pane."""
        return BAR + 2 * PADDING + rows * LINE


ROWS = 7  # of the manifest
LAYOUTS = {
    "": Layout(width=900, left=340, right=544, rows=ROWS, stacked=False),
    "-narrow": Layout(width=430, left=430, right=430, rows=9, stacked=True),
}


class Moment(NamedTuple):
    """The manifest from a time on, the line that was edited, and what came of it."""

    at: float
    lines: list[str]
    edited: int | None
    kind: str
    note: str


class Printed(NamedTuple):
    """A line of the program, and when it came."""

    at: float
    words: str


def read() -> tuple[list[Moment], list[Printed], float]:
    """Give the manifest's moments, the program's lines, and how long it all takes."""
    events = [json.loads(line) for line in (RECORDINGS / "demo.cast").read_text().splitlines()[1:]]
    start = min(when for when, kind, _ in events if kind == "m") - SHOWN_BEFORE
    manifest = (EXAMPLE / "configmap.yaml").read_text()
    moments = [Moment(0.0, manifest.splitlines(), None, "", "")]
    printed: list[Printed] = []
    edits = iter(EDITS)
    for when, kind, words in events:
        at = max(0.0, when - start)
        if kind == "m":
            edit = next(edits)
            before = manifest.splitlines()
            manifest = manifest.replace(edit.old, edit.new)
            lines = manifest.splitlines() if edit.new else [*manifest.splitlines(), ""]
            edited = next(i for i, (a, b) in enumerate(zip(before, lines, strict=True)) if a != b)
            note = "saved" if edit.effect else "refused: 42 is not a string"
            moments.append(Moment(at, lines, edited, WORDS[edit.effect], note))
        else:
            printed.append(Printed(at, words.strip()))
    return moments, printed, moments[-1].at + REST


def style(theme: Theme) -> str:
    """Give the rules that all elements share."""
    return f"""
text {{ font: 14px ui-monospace, Menlo, Consolas, monospace; fill: {theme.ink} }}
text {{ white-space: pre }}
.title {{ font: 600 13px system-ui, sans-serif; fill: {theme.faint} }}
.note {{ font: 600 13px system-ui, sans-serif }}
.good {{ fill: {theme.good} }} .bad {{ fill: {theme.bad} }} .faint {{ fill: {theme.faint} }}
rect {{ fill: {theme.panel}; stroke: {theme.edge}; rx: 8 }}
rect.good {{ fill: {theme.good_ground}; stroke: none; rx: 3 }}
rect.bad {{ fill: {theme.bad_ground}; stroke: none; rx: 3 }}
line {{ stroke: {theme.edge} }}"""


class Film:
    """Elements that come and go, and the rules that make them do so."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.rules: list[str] = []
        self.drawn: list[str] = []

    def show(self, elements: list[str], start: float, end: float | None = None) -> None:
        """Show elements from one time to another, or to the end."""
        number = len(self.rules)
        stop = self.seconds if end is None else end
        first, last = (100 * each / self.seconds for each in (start, stop))
        steps = [] if start == 0 else ["0% { opacity: 0 }"]
        steps.append(f"{first:.2f}% {{ opacity: 1 }}")
        if end is not None:
            steps.append(f"{last:.2f}% {{ opacity: 0 }}")
        self.rules.append(
            f"@keyframes k{number} {{ {' '.join(steps)} 100% {{ opacity: {int(end is None)} }} }} "
            f"#e{number} {{ opacity: {int(end is None)}; "
            f"animation: k{number} {self.seconds:.2f}s step-end infinite }}"
        )
        self.drawn.append(f'<g id="e{number}">{"".join(elements)}</g>')

    def css(self) -> str:
        """Give the rules; without motion, what lasts to the end is there at once."""
        still = "@media (prefers-reduced-motion: reduce) { g { animation: none !important } }"
        return "\n".join([*self.rules, still])


def window(x: float, y: float, width: float, height: float, title: str) -> list[str]:
    """Draw a pane with its title."""
    return [
        box(x, y, width, height),
        f'<line x1="{x:g}" y1="{y + BAR:g}" x2="{x + width:g}" y2="{y + BAR:g}"/>',
        text(x + PADDING, y + 22, title, "title"),
    ]


def draw(theme: Theme, layout: Layout) -> str:
    """Give the whole picture."""
    moments, printed, seconds = read()
    film = Film(seconds)
    left_height, right_height = layout.height(ROWS), layout.height(layout.rows)
    right_x, right_y = (0, left_height + GAP) if layout.stacked else (layout.left + GAP, 0)
    for moment, following in zip(moments, [*moments[1:], None], strict=True):
        film.show(edited(moment, layout.left), moment.at, following and following.at)
    width, height = layout.width + 2, right_y + right_height + 2
    top = right_y + BAR + PADDING + 14
    row = 1
    for line in printed:
        lines = broken(line.words) if layout.stacked else [line.words]
        elements = [
            text(right_x + PADDING, top + (row + number) * LINE, words)
            for number, words in enumerate(lines)
        ]
        row += len(lines)
        film.show(elements, line.at)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width} {height}" role="img">',
            "<title>A ConfigMap is edited, and the running process prints the new values</title>",
            f"<style>{style(theme)}\n{film.css()}</style>",
            *window(0, 0, layout.left, left_height, "configmap.yaml, in an editor"),
            *window(right_x, right_y, layout.right, right_height, "the process, never restarted"),
            text(right_x + PADDING, top, "$ python app.py", "faint"),
            *film.drawn,
            "</svg>\n",
        ]
    )


def edited(moment: Moment, width: float) -> list[str]:
    """Draw the manifest at a moment."""
    top = BAR + PADDING + 14
    drawn = []
    for number, line in enumerate(moment.lines):
        y = top + number * LINE
        if number == moment.edited:
            drawn.append(box(6, y - 16, width - 12, LINE, moment.kind))
        drawn.append(text(PADDING, y, line, moment.kind if number == moment.edited else ""))
    if moment.note:
        drawn.append(text(PADDING, top + ROWS * LINE - 8, moment.note, f"note {moment.kind}"))
    return drawn


def broken(words: str) -> list[str]:
    """Break a line for a phone."""
    head, _, tail = words.partition(", ")
    return [f"{head},", f"  {tail}"]


def pictures() -> dict[str, str]:
    """Give each picture by its name."""
    return {
        f"demo-{name}{suffix}.svg": draw(theme, layout)
        for name, theme in THEMES.items()
        for suffix, layout in LAYOUTS.items()
    }


if __name__ == "__main__":
    for name, drawn in pictures().items():
        (STATIC / name).write_text(drawn, encoding="utf-8")
