"""How long other threads wait for the interpreter lock while something is reloaded.

    python benchmarks/delays.py WHO KEYS PAUSE RELOADS     prints figures as JSON

WHO is ``ours``, ``usual_interval`` (ours with the interpreter's usual switch interval), ``by_hand``
(what one writes today) or ``dynaconf`` (``settings.reload()``). One thread reloads; another wants
to work for 1 ms at a time, with a pause of so many seconds in between, and notes how long each
millisecond took from the moment at which it wanted to begin. Collections of all garbage hold the
lock from their beginning to their end, whoever allocates, so their times are noted, too.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from subjects import content, following, mounted, plain, reload_by_hand

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._source import switch_interval

WORK = 0.001
ALL_GARBAGE = 2


@contextlib.contextmanager
def subject(who: str, keys: int) -> Iterator[tuple[Callable[[int], object], Callable[[], object]]]:
    """Have what changes every value, and what reloads."""
    with mounted(content(keys, 0)) as writer:
        if who in {"ours", "usual_interval"}:
            short = switch_interval.SHORT if who == "ours" else 1.0
            with (
                mock.patch.object(switch_interval, "SHORT", short),
                following(writer, k8s_watch=False) as settings,
            ):
                yield lambda step: writer.write(content(keys, step)), get_reloader(settings).reload
        elif who == "by_hand":
            settings, mount = plain(), Path(writer.directory)
            yield (
                lambda step: writer.write(content(keys, step)),
                lambda: reload_by_hand(settings, mount),
            )
        else:
            yield lambda step: os.environ.update(content(keys, step)), plain().reload


def work(pause: float, *, until: Callable[[], bool]) -> list[float]:
    """Work 1 ms at a time; give the seconds that each took."""
    taken: list[float] = []
    while not until():
        wanted = time.perf_counter() + pause
        if pause:
            time.sleep(pause)
        done = time.thread_time() + WORK
        while time.thread_time() < done:
            pass
        taken.append(time.perf_counter() - wanted)
    return taken


def main() -> None:
    """Measure one pair of threads."""
    who, keys, pause, reloads = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    taken: list[float] = []
    worst: list[float] = []
    seconds: list[float] = []
    collections: list[float] = []
    begun = 0.0

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        elif info["generation"] == ALL_GARBAGE:
            collections.append(time.perf_counter() - begun)

    with subject(who, keys) as (change, act):

        def timed() -> None:
            started = time.perf_counter()
            act()
            seconds.append(time.perf_counter() - started)

        for step in range(1, reloads + 1):
            change(step)
            gc.callbacks.append(collected)
            thread = threading.Thread(target=timed)
            thread.start()
            units = work(pause, until=lambda: not thread.is_alive())  # noqa: B023 -- because it is called within the loop
            taken += units
            worst += [max(units)] if units else []  # it may be over before one has begun
            thread.join()
            gc.callbacks.remove(collected)
    print(
        json.dumps({"taken": taken, "worst": worst, "reloads": seconds, "collections": collections})
    )


if __name__ == "__main__":
    main()
