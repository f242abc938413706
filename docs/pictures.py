# noqa: INP001 -- because it is used by the programs beside it, not a package
"""What the programs that draw the pictures share: colours for light and dark, and words."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple, Protocol

STATIC = Path(__file__).with_name("_static")


class Theme(NamedTuple):
    """The colours of a picture; each pair of text and ground has a contrast of at least 4.5."""

    panel: str
    bar: str
    edge: str
    ink: str
    faint: str
    good: str
    good_ground: str
    bad: str
    bad_ground: str


THEMES = {
    "light": Theme(
        panel="#f7f9fb",
        bar="#e4e9ee",
        edge="#9aa5b1",
        ink="#1f2933",
        faint="#52606d",
        good="#0b6e4f",
        good_ground="#dff3ea",
        bad="#b42318",
        bad_ground="#fdeceb",
    ),
    "dark": Theme(
        panel="#1b1f24",
        bar="#2a3038",
        edge="#52606d",
        ink="#e4e7eb",
        faint="#a5b1bd",
        good="#6fdcb0",
        good_ground="#12372b",
        bad="#ff9c93",
        bad_ground="#43201d",
    ),
}


ARROW = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z"/></marker>'
)


def style(theme: Theme) -> str:
    """Give the rules of a diagram."""
    return f"""
text {{ font: 14px system-ui, sans-serif; fill: {theme.ink} }}
.head {{ font-weight: 600; font-size: 16px }}
.code {{ font: 13px ui-monospace, Menlo, Consolas, monospace; white-space: pre }}
.small {{ font-size: 12.5px; fill: {theme.faint} }}
.bold {{ font-weight: 600 }}
.new {{ fill: {theme.good}; font-weight: 600 }}
.bad {{ fill: {theme.bad} }}
rect {{ fill: {theme.panel}; stroke: {theme.edge}; rx: 6 }}
rect.new {{ fill: {theme.good_ground}; stroke: {theme.good} }}
line, path {{ stroke: {theme.faint}; stroke-width: 1.5; fill: none; marker-end: url(#tip) }}
path.tip {{ fill: {theme.faint}; stroke: none; marker-end: none }}
"""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Write words at a point."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "") -> str:
    """Draw a rectangle."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" class="{kind}"/>'


def diagram(title: str, theme: Theme, size: tuple[int, int], drawn: Iterable[str]) -> str:
    """Give a whole diagram of what has been drawn, of so many units in width and height."""
    width, height = size
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{style(theme)}</style>",
            f"<defs>{ARROW}</defs>",
            *drawn,
            "</svg>\n",
        ]
    )


class Draw(Protocol):
    """Draws a diagram."""

    def __call__(self, theme: Theme, *, narrow: bool) -> str:
        """Draw it for a wide page, or for a phone."""


def variants(name: str, draw: Draw) -> dict[str, str]:
    """Give a diagram in each theme, for a wide page and for a phone, by the files' names."""
    return {
        f"{name}-{theme}{'-narrow' if narrow else ''}.svg": draw(colours, narrow=narrow)
        for theme, colours in THEMES.items()
        for narrow in (False, True)
    }
