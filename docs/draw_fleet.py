# noqa: INP001 -- because it is a program, not a package
"""Draw docs/_static/fleet-*.svg: how `rollout` brings a change to every process, and learns of it.

Light and dark; side by side and, for a phone, one beneath the other.
"""

from __future__ import annotations

from typing import NamedTuple

from pictures import STATIC, Theme, box, diagram, text, variants

PADDING, LINE = 14, 21
WIDTH, NODE_WIDTH, GAP = 200, 320, 96
NARROW, BETWEEN = 426, 50
TOP = 12


class Box(NamedTuple):
    """A box with its title and its lines, each of them with its kind."""

    title: str
    lines: tuple[tuple[str, str], ...]

    @property
    def height(self) -> int:
        """How high it is drawn."""
        return 2 * PADDING + LINE * (len(self.lines) + 1) - 6


AT_ONCE = "its kubelet synchronises at once"
ROLLOUT = Box("rollout", (("configmap/shop", "code"), ("-f configmap.yaml", "code")))
SERVER = Box("API server", (("ConfigMap shop", ""), ("the pods that mount it", "")))
NODES = (
    Box(
        "node n1",
        (
            (AT_ONCE, ""),
            ("pod shop-1    served", "code new"),
            ("pod jobs-1    refused: POOL", "code bad"),
        ),
    ),
    Box(
        "node n2",
        (
            (AT_ONCE, ""),
            ("pod shop-2    served", "code new"),
            ("pod legacy-1  does not follow", "code bad"),
        ),
    ),
)
REPLACES = "1. replace"
ANNOTATES = "2. annotate"
ASKS = "3. ask every process of every pod what it serves, until all serve the change"


def draw_box(drawn: Box, x: float, y: float, width: float) -> list[str]:
    """Draw a box with what stands in it."""
    lines = [
        text(x + PADDING, y + PADDING + 10 + LINE * row, words, kind)
        for row, (words, kind) in enumerate(drawn.lines, 1)
    ]
    title = text(x + PADDING, y + PADDING + 10, drawn.title, "bold")
    return [box(x, y, width, drawn.height), title, *lines]


def side_by_side() -> tuple[int, int, list[str]]:
    """Lay it out for a wide page: its width, its height, and what is drawn."""
    server_x, node_x = WIDTH + GAP, 2 * (WIDTH + GAP)
    middle = TOP + NODES[0].height + 10
    y = middle - ROLLOUT.height // 2
    bottom = TOP + 2 * NODES[0].height + 20
    drawn = [*draw_box(ROLLOUT, 0, y, WIDTH), *draw_box(SERVER, server_x, y, WIDTH)]
    for number, node in enumerate(NODES):
        drawn += draw_box(node, node_x, TOP + number * (node.height + 20), NODE_WIDTH)
    for x, words in ((WIDTH, REPLACES), (server_x + WIDTH, ANNOTATES)):
        drawn += [
            f'<line x1="{x + 4}" y1="{middle}" x2="{x + GAP - 5}" y2="{middle}"/>',
            text(x + 8, middle - 10, words, "small"),
        ]
    back, down, up = WIDTH // 2, bottom + 34, y + ROLLOUT.height + 6
    drawn += [
        f'<path d="M{node_x + NODE_WIDTH // 2} {bottom + 4} V{down} H{back} V{up}"/>',
        text(back + 10, down - 9, ASKS, "small"),
    ]
    return node_x + NODE_WIDTH + 4, down + 10, drawn


def one_beneath_the_other() -> tuple[int, int, list[str]]:
    """Lay it out for a phone."""
    drawn, y = [], TOP
    steps = ((ROLLOUT, REPLACES), (SERVER, ANNOTATES), (NODES[0], ""), (NODES[1], ""))
    for each, words in steps:
        drawn += draw_box(each, 0, y, NARROW)
        y += each.height
        if words:
            drawn.append(f'<line x1="30" y1="{y + 5}" x2="30" y2="{y + BETWEEN - 6}"/>')
            drawn.append(text(46, y + BETWEEN // 2 + 4, words, "small"))
        y += BETWEEN if words else 12
    half = ASKS.index(", until") + 1
    drawn += [
        text(PADDING, y + 16, ASKS[:half], "small"),
        text(PADDING, y + 34, ASKS[half:].strip(), "small"),
    ]
    return NARROW + 4, y + 46, drawn


def draw(theme: Theme, *, narrow: bool) -> str:
    """Give the whole picture."""
    width, height, drawn = one_beneath_the_other() if narrow else side_by_side()
    title = "rollout brings a change to every process of a cluster"
    return diagram(title, theme, (width, height), drawn)


def pictures() -> dict[str, str]:
    """Give each picture by its name."""
    return variants("fleet", draw)


if __name__ == "__main__":
    for name, drawn in pictures().items():
        (STATIC / name).write_text(drawn, encoding="utf-8")
