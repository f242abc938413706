"""How long a reload takes, by the number of keys; and how long a read.

    python benchmarks/reloads.py -o FILE.json

A program on pyperf's runner, which starts it again in processes of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyperf
from subjects import (
    PREFIX,
    SHAPES,
    content,
    following,
    mounted,
    plain,
    read_with_open,
    reload_by_hand,
    shaped,
)

from dynaconf_k8s_reload import Mount, get_reloader
from dynaconf_k8s_reload._source.reading import read

SIZES = (10, 20, 100, 1_000, 5_000, 10_000)
RIVALS_UP_TO = 5_000  # dynaconf alone takes half a minute for ten thousand
SHAPED = (100, 1_000, 5_000)
SHAPED_RIVALS_UP_TO = 1_000
LONGEST_RIVAL = ("one parent", 5_000)  # they take dynaconf a minute each time
IS_UP_TO_3_2 = version("dynaconf").startswith("3.2.")  # where it takes a quarter of an hour
MANY = 1_000  # from here on a few loops are long enough to be measured


def timed(loops: int, prepare: Callable[[int], object], act: Callable[[], object]) -> float:
    """Give the seconds that an action takes, each time after its preparation."""
    total = 0.0
    for step in range(1, loops + 1):
        prepare(step)
        started = time.perf_counter()
        act()
        total += time.perf_counter() - started
    return total


def ours(loops: int, keys: int) -> float:
    """Every value has changed: read, build, validate, mirror, publish."""
    with mounted(content(keys, 0)) as writer, following(writer, k8s_watch=False) as settings:
        act = get_reloader(settings).reload
        return timed(loops, lambda step: writer.write(content(keys, step)), act)


def one_changed(loops: int, keys: int) -> float:
    """One value has changed, and the kubelet has written every file anew."""
    data, one = content(keys, 0), f"{PREFIX}_KEY_1"
    with mounted(data) as writer, following(writer, k8s_watch=False) as settings:
        act = get_reloader(settings).reload
        return timed(loops, lambda step: writer.write({**data, one: f"x{step}"}), act)


def reading_alone(loops: int, keys: int) -> float:
    """Only read the files and compare them with what they were."""
    data, one = content(keys, 0), f"{PREFIX}_KEY_1"
    with mounted(data) as writer:
        mount = Mount(str(writer.directory))
        before = dict(read(mount).files)
        return timed(
            loops,
            lambda step: writer.write({**data, one: f"x{step}"}),
            lambda: [key for key, text in read(mount).files.items() if before.get(key) != text],
        )


def reading_with_open(loops: int, keys: int) -> float:
    """Read the files as one would write it, and compare them with what they were."""
    data, one = content(keys, 0), f"{PREFIX}_KEY_1"
    with mounted(data) as writer:
        mount = str(writer.directory)
        before = read_with_open(mount)
        return timed(
            loops,
            lambda step: writer.write({**data, one: f"x{step}"}),
            lambda: [key for key, text in read_with_open(mount).items() if before[key] != text],
        )


def environ_alone(loops: int, keys: int) -> float:
    """Only write the variables, each of which has changed, into the environment."""
    with mounted(content(keys, 0)):
        steps = [content(keys, step) for step in range(loops + 1)]
        return timed(loops, lambda _: None, lambda: os.environ.update(steps.pop()))


def dynaconf_alone(loops: int, keys: int) -> float:
    """Every variable of the environment has changed: dynaconf's own ``settings.reload()``."""
    with mounted(content(keys, 0)):
        settings = plain()
        return timed(loops, lambda step: os.environ.update(content(keys, step)), settings.reload)


def by_hand(loops: int, keys: int) -> float:
    """Every value has changed: files into the environment, then ``settings.reload()``."""
    with mounted(content(keys, 0)) as writer:
        settings = plain()
        mount = Path(writer.directory)
        return timed(
            loops,
            lambda step: writer.write(content(keys, step)),
            lambda: reload_by_hand(settings, mount),
        )


def of_shape(loops: int, shape: str, keys: int) -> float:
    """Every value has changed, of keys that are nested, or lists."""
    with mounted(shaped(shape, keys, 0)) as writer, following(writer, k8s_watch=False) as settings:
        act = get_reloader(settings).reload
        return timed(loops, lambda step: writer.write(shaped(shape, keys, step)), act)


def of_shape_dynaconf(loops: int, shape: str, keys: int) -> float:
    """The same by dynaconf's own ``settings.reload()``, from the environment."""
    with mounted(shaped(shape, keys, 0)):
        settings = plain()
        return timed(
            loops, lambda step: os.environ.update(shaped(shape, keys, step)), settings.reload
        )


def first_load(loops: int, shape: str, keys: int) -> float:
    """Make settings and load them for the first time, mirror included."""
    with mounted(shaped(shape, keys, 0)) as writer, contextlib.ExitStack() as stack:
        act = lambda: stack.enter_context(following(writer, k8s_watch=False)).get("X")  # noqa: E731 -- because it is an action
        return timed(loops, lambda _: None, act)


def first_load_dynaconf(loops: int, shape: str, keys: int) -> float:
    """The same by dynaconf alone, from the environment."""
    with mounted(shaped(shape, keys, 0)):
        return timed(loops, lambda _: None, plain)


READS: dict[str, Callable[[Any], object]] = {
    "settings.KEY": lambda settings: settings.KEY_0,
    'settings["KEY"]': lambda settings: settings["KEY_0"],
    'settings.get("KEY")': lambda settings: settings.get("KEY_0"),
    "settings.DB.HOST": lambda settings: settings.DB.HOST,
}


def reads(loops: int, what: str, who: str) -> float:
    """Read one setting over and over, at rest."""
    act = READS[what]
    with mounted({**content(20, 0), f"{PREFIX}_DB__HOST": "db"}) as writer:
        watched = following(writer) if who == "ours" else contextlib.nullcontext(plain())
        with watched as settings:
            act(settings)
            started = time.perf_counter()
            for _ in range(loops):
                act(settings)
            return time.perf_counter() - started


def shapes(runner: pyperf.Runner, args: argparse.Namespace) -> None:
    """Measure what depends on the shape of the keys."""
    for shape, keys in itertools.product(SHAPES, SHAPED):
        args.loops, args.processes = 3, 3
        for what in (of_shape, first_load):
            runner.bench_time_func(f"{what.__name__} {shape} {keys}", what, shape, keys)
        args.loops = 1
        is_longest = (shape, keys) == LONGEST_RIVAL and not IS_UP_TO_3_2
        if keys <= SHAPED_RIVALS_UP_TO or is_longest:
            args.processes = 2 if is_longest else 3
            for what in (of_shape_dynaconf, first_load_dynaconf):
                runner.bench_time_func(f"{what.__name__} {shape} {keys}", what, shape, keys)


def main() -> None:
    """Measure everything."""
    runner = pyperf.Runner(processes=6, values=3, warmups=1)
    args = runner.parse_args()
    given = (args.loops, args.processes, args.values, args.warmups)
    for keys in SIZES:
        args.loops, args.processes, args.values, args.warmups = given
        if keys >= MANY:
            args.loops, args.processes, args.values, args.warmups = 3, 5, 1, 0
        for what in (ours, one_changed, reading_alone, reading_with_open, environ_alone):
            runner.bench_time_func(f"{what.__name__} {keys}", what, keys)
        if keys >= MANY:
            args.loops, args.processes = 1, 3
        if keys <= RIVALS_UP_TO:
            for what in (dynaconf_alone, by_hand):
                runner.bench_time_func(f"{what.__name__} {keys}", what, keys)
    args.values, args.warmups = 1, 0
    shapes(runner, args)
    args.loops, args.processes, args.values, args.warmups = given
    for name in READS:
        for who in ("ours", "plain"):
            runner.bench_time_func(f"read {name} {who}", reads, name, who)


if __name__ == "__main__":
    main()
