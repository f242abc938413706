"""What each short cut of the adapter saves: reloads with it and without it, in one run.

Run it with the package installed: ``python benchmarks/short_cuts.py``. It prints a table of ratios,
"without" over "with"; 1.0 means that the short cut buys nothing at that size and shape.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from dynaconf import Dynaconf

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._dynaconf import live, putting
from dynaconf_k8s_reload._source import content
from dynaconf_k8s_reload.testing import AtomicWriter

SHAPES: Mapping[str, Callable[[int, int], tuple[str, str]]] = {
    "flat texts": lambda i, r: (f"MYAPP_KEY_{i}", f"text {r}"),
    "flat lists": lambda i, r: (f"MYAPP_KEY_{i}", f"[{i}, {r}]"),
    "nested, five a parent": lambda i, r: (f"MYAPP_P{i // 5}__KEY_{i}", f"text {r}"),
    "nested, one parent": lambda i, r: (f"MYAPP_P__KEY_{i}", f"text {r}"),
}
SIZES = (20, 1000, 5000)
TOO_SLOW = 5000  # keys: minutes without the direct way, but for flat texts
ROUNDS = {20: 40, 1000: 3, 5000: 1}


def _set_all(settings: Any, entries: Any) -> None:
    for key, value, source in entries:
        settings.set(key, value, loader_identifier=source, validate=False)


@contextmanager
def without(short_cut: str) -> Iterator[None]:
    """Leave a short cut out, for a moment."""
    patches: Mapping[str, list[Any]] = {
        "direct store and folding": [mock.patch.object(putting, "put_all", _set_all)],
        "dynaconf's defaults at once": [mock.patch.object(live, "put_defaults")],
        "parsed values kept": [
            mock.patch.object(
                content.Variable, "value", property(lambda _: content.UNPARSED, lambda *_: None)
            )
        ],
        "nothing": [],
    }
    for patch in patches[short_cut]:
        patch.start()
    try:
        yield
    finally:
        for patch in patches[short_cut]:
            patch.stop()


def seconds(shape: str, size: int, short_cut: str) -> float:
    """Give the median time of a reload in which every value changes."""
    with tempfile.TemporaryDirectory() as directory, without(short_cut):
        volume = AtomicWriter(Path(directory) / "config")

        def write(round_: int) -> None:
            volume.write(dict(SHAPES[shape](i, round_) for i in range(size)))

        write(0)
        settings: Any = Dynaconf(
            envvar_prefix="MYAPP",
            loaders=["dynaconf_k8s_reload.loader"],
            k8s_mounts=[str(volume.directory)],
            k8s_watch=False,
        )
        reloader = get_reloader(settings)
        took = []
        for round_ in range(1, ROUNDS[size] + 1):
            write(round_)
            started = time.perf_counter()
            outcome = reloader.reload().outcome
            took.append(time.perf_counter() - started)
            if outcome != "applied":
                raise RuntimeError(outcome)
        reloader.stop(restore=True)
        return statistics.median(took)


def main() -> None:
    """Print the table."""
    short_cuts = ("direct store and folding", "dynaconf's defaults at once", "parsed values kept")
    print(f"{'':24}{'keys':>6}{'with, ms':>10}", *(f"{name:>28}" for name in short_cuts))
    for shape in SHAPES:
        for size in SIZES:
            if size < TOO_SLOW or shape == "flat texts":
                usual = seconds(shape, size, "nothing")
                ratios = [seconds(shape, size, name) / usual for name in short_cuts]
                columns = "".join(f" {ratio:28.2f}" for ratio in ratios)
                print(f"{shape:24}{size:6}{usual * 1e3:10.1f}{columns}", flush=True)


if __name__ == "__main__":
    main()
