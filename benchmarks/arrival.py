"""How long after the kubelet's rename a change is there: ours, the usual way, and the floor.

    python benchmarks/arrival.py WHO SWAPS       prints the seconds of each swap as JSON

WHO is ``ours``, ``watchdog`` (and ``settings.reload()``) or ``floor`` (inotify, one file is read).
The writer is a process of its own, which notes when it renames.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from subjects import PREFIX, content, following, mounted, plain, reload_by_hand
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from dynaconf_k8s_reload.testing import AtomicWriter

KEYS = 20
NUMBER = f"{PREFIX}_NUMBER"
EVERY = 0.025  # seconds between two swaps
LOOK_EVERY = 0.0001
PATIENCE = 5.0
MOVED_TO_OR_CREATED = 0x180  # IN_MOVED_TO | IN_CREATE, inotify(7)

See = Callable[[], str]


def write(directory: str, swaps: int) -> None:
    """Swap so many times, and print when each rename was."""
    renamed: list[int] = []
    rename = os.replace

    def noted(source: str, target: str) -> None:
        renamed.append(time.monotonic_ns())
        rename(source, target)

    os.replace = noted  # type: ignore[assignment] # reason: it takes what the writer gives
    writer = AtomicWriter(directory)
    for number in range(1, swaps + 1):
        writer.write({**content(KEYS, number), NUMBER: str(number)})
        time.sleep(EVERY)
    print(json.dumps(renamed[-swaps:]))


@contextlib.contextmanager
def ours(writer: AtomicWriter) -> Iterator[See]:
    """See the number in the settings, and then in the environment."""
    with following(writer) as settings:
        yield lambda: min((str(settings.NUMBER), os.environ[NUMBER]), key=int)


@contextlib.contextmanager
def watchdog(writer: AtomicWriter) -> Iterator[See]:
    """See it in settings that a handler of watchdog reloads."""
    settings, mount = plain(), Path(writer.directory)

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "moved"):
                with contextlib.suppress(OSError):  # a file that went while it was read
                    reload_by_hand(settings, mount)

    observer = Observer()
    observer.schedule(Handler(), str(mount))
    observer.start()
    try:
        # Between its clearing and filling, readers of reload() find no key at all.
        yield lambda: min((str(settings.get("NUMBER", 0)), os.environ.get(NUMBER, "0")), key=int)
    finally:
        observer.stop()
        observer.join()


@contextlib.contextmanager
def floor(writer: AtomicWriter) -> Iterator[See]:
    """See it as soon as inotify tells, and one file has been read."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    path = str(writer.directory)
    libc.inotify_add_watch(descriptor, path.encode(), MOVED_TO_OR_CREATED)
    seen = [0]

    def follow() -> None:
        with contextlib.suppress(FileNotFoundError):  # the mount is gone, at the end
            while True:
                os.read(descriptor, 4096)
                seen[0] = int((Path(path) / "..data" / NUMBER).read_text())

    threading.Thread(target=follow, daemon=True).start()
    yield lambda: str(seen[0])


def main() -> None:
    """Measure one way."""
    who, swaps = sys.argv[1], int(sys.argv[2])
    if who == "write":
        write(sys.argv[3], swaps)
        return
    ways = {"ours": ours, "watchdog": watchdog, "floor": floor}
    with mounted({**content(KEYS, 0), NUMBER: "0"}) as writer, ways[who](writer) as see:
        time.sleep(1)  # whatever is armed in a thread of its own is armed then
        command = [sys.executable, __file__, "write", str(swaps), str(writer.directory)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        seen: dict[int, int] = {}
        last, give_up = 0, time.monotonic() + swaps * EVERY * 4 + PATIENCE
        while last < swaps and time.monotonic() < give_up:
            number = int(see())
            if number > last:
                last = number
                seen[number] = time.monotonic_ns()
            time.sleep(LOOK_EVERY)
        renamed = json.loads(process.communicate()[0])
    print(json.dumps([(at - renamed[number - 1]) / 1e9 for number, at in seen.items()]))
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for inotify has no other end


if __name__ == "__main__":
    main()
