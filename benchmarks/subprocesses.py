"""How many subprocess starts fail while the mirror adds and removes variables.

From Python 3.11.4 the interpreter lock is released around ``vfork``. A process that is started with
the *inherited* environment while another thread adds or removes a variable can then find the array
of variables moved, and fails with ``OSError(14, 'Bad address')``. With ``env=dict(os.environ)`` the
child gets a copy, and no start fails. Any change of ``os.environ`` has this, not only the mirror's.

    python benchmarks/subprocesses.py [--seconds 10]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from dynaconf import Dynaconf

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter

NAMES = 20
CHILD = ["/bin/true"]


class Count(NamedTuple):
    """What was counted in one run."""

    reloads: int
    starts: int
    failed: int
    copies_failed: int


def inherited() -> None:
    """Start a process with the environment of this one."""
    subprocess.run(CHILD, check=True)


def copied() -> None:
    """Start a process with a copy."""
    subprocess.run(CHILD, check=True, env=dict(os.environ))


def at_rest(_settings: Dynaconf, _writer: AtomicWriter, _step: int) -> None:
    """Change nothing."""
    time.sleep(0.001)


def a_value_changes(settings: Dynaconf, writer: AtomicWriter, step: int) -> None:
    """Publish new values of the same names."""
    writer.write({f"BENCHMARK_{n}": str(step) for n in range(NAMES)})
    get_reloader(settings).reload()


def names_come_and_go(settings: Dynaconf, writer: AtomicWriter, step: int) -> None:
    """Publish other names each time."""
    writer.write({f"BENCHMARK_{step % 2}_{n}": str(step) for n in range(NAMES)})
    get_reloader(settings).reload()


Update = Callable[[Dynaconf, AtomicWriter, int], None]


def measure(start: Callable[[], None], update: Update, seconds: float) -> Count:
    """Start processes in one thread while another one updates the mount."""
    with tempfile.TemporaryDirectory() as directory:
        writer = AtomicWriter(directory)
        writer.write({})
        settings = Dynaconf(
            loaders=["dynaconf_k8s_reload.loader"], k8s_mounts=[directory], k8s_watch=False
        )
        reloader = get_reloader(settings)
        until = time.monotonic() + seconds
        reloads = 0

        def keep_updating() -> None:
            nonlocal reloads
            while time.monotonic() < until:
                update(settings, writer, reloads)
                reloads += 1

        thread = threading.Thread(target=keep_updating)
        thread.start()
        starts = failed = copies_failed = 0
        while time.monotonic() < until:
            starts += 1
            try:
                start()
            except KeyError:  # of dict(os.environ), when a name goes meanwhile
                copies_failed += 1
            except OSError:
                failed += 1
        thread.join()
        reloader.stop(restore=True)
    return Count(reloads, starts, failed, copies_failed)


def main() -> None:
    """Print a row for each way to start a process and each kind of update."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row (%(default)g)")
    seconds = parser.parse_args().seconds
    print(f"Python {platform.python_version()}, {seconds:g} s a row, {NAMES} names\n")
    print(f"{'environment':20}{'the mirror':20}{'reloads':>9}{'starts':>9}{'failed':>9}  KeyError")
    ways: list[tuple[str, Callable[[], None]]] = [
        ("inherited", inherited),
        ("dict(os.environ)", copied),
    ]
    updates: list[tuple[str, Update]] = [
        ("is at rest", at_rest),
        ("changes values", a_value_changes),
        ("adds and removes", names_come_and_go),
    ]
    for way, start in ways:
        for what, update in updates:
            count = measure(start, update, seconds)
            print(
                f"{way:20}{what:20}{count.reloads:9,}{count.starts:9,}{count.failed:9,}"
                f"{count.copies_failed:10,}"
            )


if __name__ == "__main__":
    main()
