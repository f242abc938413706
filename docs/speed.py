# noqa: INP001 -- because it is a program, not a package
"""Write the tables of speed that docs/guarantees.md includes, from docs/recordings/benchmarks.txt.

``./test.sh -e benchmarks`` measures, and this lays out what it has found: nobody copies a figure.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

RECORDINGS = Path(__file__).with_name("recordings")
KEYS = ("10", "100", "1,000", "5,000", "10,000")
WHOLE = 10  # from here on, no digit behind the point
REST = """\
| seen | result |
|---|---|
| from the kubelet's rename to settings and environment, 20 keys, 1,000 updates | {arrival} |
| a read, compared with dynaconf alone | {reads}, within noise |
| at rest, 30 s | {idle} |
| import of the loader, beyond dynaconf's and watchdog's | {start} |
"""


class Line(NamedTuple):
    """One line of the recording: what was measured, in which block, and what came out."""

    block: str
    what: str
    figure: str
    ratio: str


def lines() -> list[Line]:
    """Read the recording; an indented line belongs to the block above it."""
    found: list[Line] = []
    block = ""
    for line in (RECORDINGS / "benchmarks.txt").read_text().splitlines()[4:]:
        what, figure, ratio = line[:54].rstrip(), line[55:99].strip(), line[100:].strip()
        if not line.startswith(" "):
            block = what.removesuffix(", a mebibyte")
        found.append(Line(block, what.strip(), figure, ratio))
    return found


def measured(block: str, what: str | None = None) -> str:
    """Give the figure of a line, such as ``18.7 ms``, without how far it spreads."""
    for line in lines():
        if line.block == block and line.what.startswith(what or block):
            return _rounded(re.split(r" \+- |, ", line.figure)[0])
    raise LookupError(f"no line {what!r} of {block!r} in the recording")


def _rounded(figure: str) -> str:
    """Round to two digits, or to a whole number."""
    number, unit = figure.split(" ")
    if unit == "us":
        number, unit = f"{float(number) / 1000:g}", "ms"
    digits = ".0f" if float(number) >= WHOLE else ".2g"
    return f"{float(number):{digits}} {unit}"


def _spread(block: str, what: str) -> tuple[str, str, str]:
    """Give a line's median, its 99 % and its longest."""
    (line,) = [each for each in lines() if each.block == block and each.what.startswith(what)]
    median, most, longest = re.findall(r"[\d.]+ (?:us|ms|s)\b", line.figure)
    return _rounded(median), _rounded(most), _rounded(longest)


def at_rest() -> str:
    """Lay out what costs something while nothing changes, and the way of a change."""
    half, most, longest = _spread("arrival of 20 keys: this package", "arrival of 20 keys")
    ratios = [
        float(line.ratio.removesuffix(" x"))
        for line in lines()
        if line.block.startswith("read settings") and line.what == "dynaconf alone"
    ]
    idle = {line.what: line.figure for line in lines() if line.block.startswith("idle for 30 s")}
    alone, one, twenty = (re.findall(r"[\d.]+", figure)[0] for figure in idle.values())
    return REST.format(
        arrival=f"half within {half}, 99 % within {most}, longest {longest}",
        reads=f"{min(ratios):.2f} to {max(ratios):.2f} times as long",
        idle=f"{one} % of a core with one mount, {twenty} % with twenty; {alone} % without",
        start=measured("import of the loader, beyond dynaconf and watchdog"),
    )


def reloads() -> str:
    """Lay out what a reload costs by the number of keys, beside dynaconf's own."""
    rows = [
        (f"{keys} keys", measured(f"reload, {keys} keys"), _dynaconf(f"reload, {keys} keys"))
        for keys in KEYS
    ]
    one = "one of 5,000 keys changed"
    rows += [
        ("5,000 keys, one of them changed", measured(one), ""),
        ("- of it, reading the files", measured(one, "reading the files"), ""),
        ("- for comparison, reading them with `open()`", measured(one, "reading them"), ""),
        (
            "- of 5,000 changed keys, the C library's `setenv`",
            measured("of the reload of 5,000 keys, the C library's setenv"),
            "",
        ),
    ]
    work = [each for each in lines() if each.what.endswith("work with pauses of 1 ms")]
    block = work[0].block  # ours is its first, the usual recipe the second
    (ours, ours_most, _), (theirs, theirs_most, _) = (_spread(block, line.what) for line in work)
    rows.append(
        (
            block.replace("work", "another thread's work,", 1),
            f"{ours}, 99 % within {ours_most}",
            f"{theirs}, 99 % within {theirs_most}",
        )
    )
    rows.append(_served())
    head = ("one reload, every value changed and mirrored", "this package")
    table = [(*head, "`settings.reload()`, not atomic, no mirror"), ("---",) * 3, *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in table)


def _served() -> tuple[str, str, str]:
    """Lay out how long requests take beside swaps, and beside settings that follow nothing."""
    served = [each for each in lines() if each.block.startswith("gunicorn's requests beside")]
    block, *_ = (line.block for line in served)
    beside = [each.what for each in served[1:] if not each.what.endswith("apart from swaps")]
    still, ours, theirs = (_spread(block, what) for what in beside)
    return (
        f"{block} ({still[0]}, 99 % within {still[1]}, if nothing follows)",
        f"{ours[0]}, 99 % within {ours[1]}",
        f"{theirs[0]}, 99 % within {theirs[1]}",
    )


def _dynaconf(block: str) -> str:
    """Give dynaconf's own figure, where it was measured."""
    try:
        return measured(block, "settings.reload()")
    except LookupError:
        return ""


def tables() -> dict[str, str]:
    """Give each table by its name."""
    return {"speed-at-rest.md": at_rest(), "speed-reloads.md": reloads()}


if __name__ == "__main__":
    for name, written in tables().items():
        (RECORDINGS / name).write_text(written, encoding="utf-8")
