"""What many tests need: waiting for a condition, settings on a mount, what a process has open."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from dynaconf import Dynaconf

from dynaconf_k8s_reload import Reloader, loader
from dynaconf_k8s_reload._environ.mirror import Mirror
from dynaconf_k8s_reload._reload.process import Process

LOADERS = ["dynaconf_k8s_reload.loader"]


def eventually(
    condition: Callable[[], object],
    seconds: float = 10.0,
    else_show: Callable[[], object] = lambda: "",
    *,
    collecting: bool = False,
) -> None:
    """Wait until `condition` holds; fail after the deadline, and show what there is instead.

    With `collecting`, the garbage is collected before each look but the first.
    """
    deadline = time.monotonic() + seconds
    tick = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s; {else_show()}")
        if collecting:
            gc.collect()
        tick.wait(0.002)


def make_settings(*mounts: Any, **options: Any) -> Any:
    """Make lazy settings on mounts, with the prefix MYAPP; nothing is loaded yet."""
    options.setdefault("envvar_prefix", "MYAPP")
    options.setdefault("loaders", LOADERS)
    options.setdefault("k8s_prefixed_only", False)  # most tests name their settings without it
    paths = [str(mount) if isinstance(mount, Path) else mount for mount in mounts]
    return Dynaconf(k8s_mounts=paths, **options)


@contextlib.contextmanager
def own_process() -> Iterator[Mirror]:
    """Have what is loaded within belong to a process of its own, whose mirror knows no name yet."""
    mirror = Mirror()
    reloader = partial(Reloader, process=Process(mirror))
    with mock.patch.object(loader, "Reloader", reloader):
        yield mirror


def forked(function: Callable[[], object], fork: Callable[[], int] = os.fork) -> int:
    """Run a function in a forked process, which exits with 1 if it fails; give its pid."""
    pid = fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def open_descriptors() -> int:
    """Count this process's descriptors."""
    return len(os.listdir("/proc/self/fd"))


def what_is_open() -> list[str]:
    """List this process's descriptors, each with what it is open on."""
    opened = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one of this listing itself
            opened.append(f"{number}: {os.readlink(f'/proc/self/fd/{number}')}")
    return opened
