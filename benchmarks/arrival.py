"""How long after the kubelet's rename a change is there: ours, the usual ways, and the floor.

    python benchmarks/arrival.py WHO SWAPS [GROUP]   prints the seconds of each swap as JSON

WHO is one of `WAYS`. The writer is a process of its own, which notes when it renames. Each way
notes when it first sees the number of a swap, in the thread that has just read it: ours, in the
settings and in the environment, when the reload is logged. Nobody polls, since that would hold up
whoever reads many files. Ours also prints how long the building of each candidate took. GROUP is
the directory of a control group that the process joins, the writer does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from subjects import PREFIX, content, following, mounted, plain, reload_by_hand, swap
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from dynaconf_k8s_reload._reload.candidate import build_all
from dynaconf_k8s_reload._source import switch_interval
from dynaconf_k8s_reload.testing import AtomicWriter

KEYS = 20
DOCUMENT = "app.json"
BUILD_ALL = "dynaconf_k8s_reload._reload.passing.build_all"
NUMBER = f"{PREFIX}_NUMBER"
EVERY = 0.025  # seconds between two swaps
PATIENCE = 5.0
MOVED_TO_OR_CREATED = 0x180  # IN_MOVED_TO | IN_CREATE, inotify(7)

See = Callable[[int], object]  # called with each number that is there


def write(directory: str, who: str, swaps: int) -> None:
    """Swap so many times, and print when each rename was."""
    contents = (data(who, number) for number in range(1, swaps + 1))
    print(json.dumps(swap(directory, contents, EVERY)))


@contextlib.contextmanager
def ours(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it where both the settings and the environment have it."""
    built: list[float] = []

    def timed(*args: Any, **kwargs: Any) -> None:
        started = time.perf_counter()
        try:
            build_all(*args, **kwargs)
        finally:
            built.append(time.perf_counter() - started)

    with following(writer) as settings, mock.patch(BUILD_ALL, timed):

        class Published(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.levelno == logging.INFO:
                    see(min(int(settings.NUMBER), int(os.environ[NUMBER])))

        log = logging.getLogger("dynaconf_k8s_reload")
        log.setLevel(logging.INFO)
        log.addHandler(Published())
        yield built


@contextlib.contextmanager
def usual_interval(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it as ours does, with the interpreter's usual switch interval."""
    with mock.patch.object(switch_interval, "SHORT", 1.0), ours(writer, see) as built:
        yield built


@contextlib.contextmanager
def watchdog(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it in settings that a handler of watchdog reloads."""
    settings, mount = plain(), Path(writer.directory)

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "moved"):
                with contextlib.suppress(OSError):  # a file that went while it was read
                    reload_by_hand(settings, mount)
                    see(min(int(settings.NUMBER), int(os.environ[NUMBER])))

    observer = Observer()
    observer.schedule(Handler(), str(mount))
    observer.start()
    try:
        yield []
    finally:
        observer.stop()
        observer.join()


@contextlib.contextmanager
def pydantic_settings(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it in a model of pydantic-settings that is made anew when watchfiles tells."""
    from pydantic import create_model  # noqa: PLC0415 -- because only this way needs it
    from pydantic_settings import BaseSettings  # noqa: PLC0415 -- as above
    from watchfiles import watch  # noqa: PLC0415 -- as above

    fields: Any = dict.fromkeys((*content(KEYS, 0), NUMBER), (str, ...))
    model = create_model("Model", __base__=BaseSettings, **fields)
    for name in fields:
        os.environ.pop(name, None)  # which would beat the files

    def follow() -> None:
        for _ in watch(writer.directory):
            see(int(getattr(model(_secrets_dir=writer.directory), NUMBER)))

    threading.Thread(target=follow, daemon=True).start()
    yield []


@contextlib.contextmanager
def dynamic_config(writer: AtomicWriter, see: See, debounce: float = 0.25) -> Iterator[list[float]]:
    """See it in a model of dynamic-config-py, which reads one document and watches it."""
    from dynamic_config import DynamicConfig  # noqa: PLC0415 -- because only this way needs it
    from pydantic import create_model  # noqa: PLC0415 -- as above

    fields: Any = dict.fromkeys((*content(KEYS, 0), NUMBER), (str, ...))
    config = DynamicConfig(create_model("Model", **fields), key="app")
    config.file(os.path.join(writer.directory, DOCUMENT))
    config.init()

    def reloaded(_: object, new: object) -> None:
        see(int(getattr(new, NUMBER)))

    config.on_reload(reloaded)
    with config.watching(debounce=debounce):
        yield []


def dynamic_config_at_once(writer: AtomicWriter, see: See) -> Any:
    """See it there without a wait for quiet."""
    return dynamic_config(writer, see, debounce=0.0)


@contextlib.contextmanager
def floor(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it as soon as inotify tells, and one file has been read."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    path = str(writer.directory)
    libc.inotify_add_watch(descriptor, path.encode(), MOVED_TO_OR_CREATED)

    def follow() -> None:
        with contextlib.suppress(FileNotFoundError):  # the mount is gone, at the end
            while True:
                os.read(descriptor, 4096)
                see(int((Path(path) / "..data" / NUMBER).read_text()))

    threading.Thread(target=follow, daemon=True).start()
    yield []


WAYS: dict[str, Callable[[AtomicWriter, See], contextlib.AbstractContextManager[list[float]]]] = {
    "ours": ours,
    "usual_interval": usual_interval,
    "watchdog": watchdog,
    "pydantic_settings": pydantic_settings,
    "dynamic_config": dynamic_config,
    "dynamic_config_at_once": dynamic_config_at_once,
    "floor": floor,
}


def data(who: str, number: int) -> dict[str, str]:
    """Give what the volume holds: a file a key, or one document."""
    values = {**content(KEYS, number), NUMBER: str(number)}
    if who.startswith("dynamic_config"):
        return {DOCUMENT: json.dumps({"app": values}), NUMBER: str(number)}
    return values


def main() -> None:
    """Measure one way."""
    who, swaps, *rest = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    if who == "write":
        write(rest[0], rest[1], swaps)
        return
    seen: dict[int, int] = {}
    complete = threading.Event()

    def see(number: int) -> None:
        seen.setdefault(number, time.monotonic_ns())
        if number == swaps:
            complete.set()

    with mounted(data(who, 0)) as writer, WAYS[who](writer, see) as built:
        time.sleep(1)  # whatever is armed in a thread of its own is armed then
        command = [sys.executable, __file__, "write", str(swaps), str(writer.directory), who]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for group in rest:
            Path(group, "cgroup.procs").write_text(str(os.getpid()))
        complete.wait(swaps * EVERY * 4 + PATIENCE)
        renamed = json.loads(process.communicate()[0])
    delays = [(at - renamed[number - 1]) / 1e9 for number, at in seen.items() if number]
    print(json.dumps({"delays": delays, "built": built}))
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for inotify has no other end


if __name__ == "__main__":
    main()
