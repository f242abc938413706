"""Faults of every kind, at random, for a minute: the status never says what is not so."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload._model.published import statuses
from dynaconf_k8s_reload._source import fingerprint, reading
from dynaconf_k8s_reload._watch import events
from dynaconf_k8s_reload._watch import watch as watches
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "1800" if os.environ.get("NIGHTLY") else "60"))
BUSY = 1.0  # seconds of faults, and then
QUIET = 1.5  # seconds without, in which what was not told must have been mended
BLOCKED = 0.4


class Chaos:
    """A mount, settings on it, and what may happen to both.

    Args:
        root: where the mount is.
        chance: tells what happens when.
        patch: puts a fault in the place of a function, until undone.
    """

    def __init__(self, root: Path, chance: random.Random, patch: pytest.MonkeyPatch) -> None:
        self.chance = chance
        self.patch = patch
        self.number = 0
        self.writer = AtomicWriter(root / "config")
        self.done: Counter[str] = Counter()
        self.children: dict[int, str] = {}
        self.hung = 0
        self.writer.write({"MYAPP_NUMBER": "0"})
        resync = chance.choice([0.5, 30])  # the usual one leaves all to the events, and the status
        self.settings = make_settings(self.writer.directory, k8s_resync=resync)
        self.reloader = get_reloader(self.settings)
        self.reloader.on_validate(self.check)
        self.hanging = False

    def swap(self) -> None:
        """Write another generation, sometimes one that is refused."""
        self.number += 1
        text = "@int none" if self.chance.random() < 0.1 else str(self.number)
        self.writer.write({"MYAPP_NUMBER": text, "MYAPP_CONSTANT": "1"})

    @contextmanager
    def broken(self, target: object, name: str, function: Callable[..., Any]) -> Iterator[None]:
        """Have a function fail for each second call, at random, for a moment."""
        usual = getattr(target, name)

        def sometimes(*arguments: Any, **keywords: Any) -> Any:
            ours = threading.current_thread() is not threading.main_thread()
            if ours and self.chance.random() < 0.5:
                function()
            return usual(*arguments, **keywords)

        with self.patch.context() as patched:
            patched.setattr(target, name, sometimes)
            for _ in range(self.chance.randint(1, 3)):
                self.swap()
                threading.Event().wait(self.chance.uniform(0, 0.1))
            yield

    def logging_raises(self) -> None:
        logger = logging.getLogger("dynaconf_k8s_reload")
        logger.addFilter(_refuse)
        try:
            self.swap()
            threading.Event().wait(0.05)
        finally:
            logger.removeFilter(_refuse)

    def logging_blocks(self) -> None:
        logger = logging.getLogger("dynaconf_k8s_reload")
        tick = threading.Event()

        def block(_: logging.LogRecord) -> bool:
            return not tick.wait(BLOCKED)

        logger.addFilter(block)
        try:
            self.swap()
            threading.Event().wait(0.05)
        finally:
            logger.removeFilter(block)

    def check(self, candidate: Any, changes: Any) -> None:
        if self.hanging:
            threading.Event().wait(BLOCKED)

    def a_check_hangs(self) -> None:
        self.hanging = True
        self.swap()
        threading.Event().wait(0.05)
        self.hanging = False

    def the_watch_is_interrupted(self) -> None:
        for thread in threading.enumerate():
            if thread.name == "k8s-reload-watch" and thread.ident is not None:
                raised = ctypes.py_object(self.chance.choice([SystemExit, KeyboardInterrupt]))
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), raised)
        self.swap()

    def reading_raises(self) -> None:
        name, target = self.chance.choice(
            [("open", os), ("readlink", os), ("stat", os), ("scandir", os)]
        )
        error = self.chance.choice(
            [OSError(24, "EMFILE"), OSError(5, "EIO"), OSError(13, "EACCES")]
        )
        with self.broken(target, name, _raiser(error)):
            pass

    def reading_blocks(self) -> None:
        tick = threading.Event()
        with self.broken(reading, "token", lambda: tick.wait(BLOCKED)):
            pass

    def memory_runs_out(self) -> None:
        target, name = self.chance.choice(
            [(watches, "token"), (reading, "visible"), (fingerprint, "name_of")]
        )
        with self.broken(target, name, _raiser(MemoryError())):
            pass

    def threads_cannot_start(self) -> None:
        with self.patch.context() as patched:
            patched.setattr(threading.Thread, "start", _raiser(RuntimeError("no thread")))
            self.swap()
            threading.Event().wait(0.05)
            self.reloader.stop()
            self.reloader.start()

    def observer_dies(self) -> None:
        session = self.reloader.following._watcher._session
        observer = None if session is None else session.events._observer
        if observer is not None:
            for emitter in list(observer.emitters):
                emitter.stop()

    def inotify_is_used_up(self) -> None:
        with self.patch.context() as patched:
            patched.setattr(events, "import_watchdog", _raiser(OSError(24, "EMFILE")))
            self.observer_dies()
            self.swap()
            threading.Event().wait(0.1)

    def clock_jumps(self) -> None:
        with self.patch.context() as patched:
            for name in ("time", "monotonic"):
                usual = getattr(time, name)
                jump = self.chance.choice([-3600, 3600])
                patched.setattr(time, name, lambda usual=usual, jump=jump: usual() + jump)
            self.swap()

    def mount_is_replaced(self) -> None:
        directory = self.writer.directory
        away = directory.with_name(f"away{self.number}")
        directory.rename(away)
        if self.chance.random() < 0.5:
            threading.Event().wait(self.chance.uniform(0, 0.2))
        self.writer = AtomicWriter(directory)
        self.swap()
        shutil.rmtree(away)

    def fork(self) -> None:
        """Fork, seen or unseen; the child follows, or says that it does not."""
        unseen = self.chance.random() < 0.3
        pid = self.fork_in_c() if unseen else os.fork()
        if pid == 0:
            status = 1
            try:
                if not unseen and self.chance.random() < 0.5:
                    is_well = self.is_mirrored  # variables are all that it looks at
                else:
                    self.reloader.status()
                    is_well = self.is_true
                end = time.monotonic() + QUIET + 10
                while not is_well() and time.monotonic() < end:
                    threading.Event().wait(0.05)
                status = 0 if is_well() or self.reloader.status().last_error else 1
            finally:
                os._exit(status)
        self.children[pid] = "unseen" if unseen else "seen"

    def fork_in_c(self) -> int:
        """Fork while no thread wants the interpreter's lock: the child would never have it."""
        watch = self.reloader.following._watch
        assert watch is not None
        with watch.lock:  # the watching thread waits for this one, or for a hint
            threading.Event().wait(0.1)
            return int(ctypes.PyDLL(None).fork())

    def is_told_of(self, pid: int) -> bool:
        """Wait until a probe says of a child that hangs that it is not healthy.

        `fork_in_c` makes it rare, but cannot exclude, that a thread wants the interpreter's lock.
        """
        self.hung += 1
        end = time.monotonic() + 2 * 30 + 30  # twice the longest resync, and more
        while any(each["healthy"] for each in statuses(pid)) and time.monotonic() < end:
            threading.Event().wait(0.1)
        return not any(each["healthy"] for each in statuses(pid))

    def exits(self) -> list[str]:
        """Wait for the children; give how those ended that are not well."""
        bad: list[str] = []
        for pid, kind in self.children.items():
            end, ended = time.monotonic() + 60, 0
            while not ended and time.monotonic() < end:
                ended, status = os.waitpid(pid, os.WNOHANG)
                threading.Event().wait(0.01)
            if not ended:
                hangs_unseen = kind == "unseen" and self.is_told_of(pid)
                os.kill(pid, signal.SIGABRT)  # faulthandler shows where it hangs
                _, status = os.waitpid(pid, 0)
                status = 0 if hangs_unseen else status
            if status:
                bad.append(f"{kind}: {os.waitstatus_to_exitcode(status)}")
        return bad

    def faults(self) -> list[Callable[[], None]]:
        return [
            *(self.logging_raises, self.reading_raises, self.reading_raises, self.reading_blocks),
            *(self.memory_runs_out, self.threads_cannot_start, self.observer_dies),
            *(self.inotify_is_used_up, self.clock_jumps, self.mount_is_replaced),
            *(self.logging_blocks, self.a_check_hangs, self.the_watch_is_interrupted),
        ]

    def fault(self) -> None:
        fault = self.chance.choice(self.faults())
        self.done[fault.__name__] += 1
        fault()

    def is_mirrored(self) -> bool:
        """Tell whether the variable is the mount's."""
        return os.environ.get("MYAPP_NUMBER") == self.writer.payload["MYAPP_NUMBER"].decode()

    def is_served(self) -> bool:
        """Tell whether settings and variable are those of the mount, as far as these can be."""
        written = self.writer.payload["MYAPP_NUMBER"].decode()
        if written == "@int none":
            return self.reloader.status().last_error is not None
        return str(self.settings.NUMBER) == os.environ["MYAPP_NUMBER"] == written

    def is_true(self) -> bool:
        """Tell whether what is served is the mount's, or the status says that it is not."""
        status = self.reloader.status()
        return self.is_served() or not status.healthy or bool(status.problems)


def _refuse(record: logging.LogRecord) -> bool:
    raise LookupError("a filter of the application's")


def _raiser(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def test_the_status_never_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each second of faults, and a quiet one, all is as in the mount, or said not to be."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chaos = Chaos(tmp_path, random.Random(seed), monkeypatch)
    tick = threading.Event()
    end = time.monotonic() + SECONDS
    looks = lies = served = 0
    while time.monotonic() < end:
        busy_until = time.monotonic() + BUSY
        while time.monotonic() < busy_until:
            if chaos.chance.random() < 0.5:
                chaos.swap()
                tick.wait(chaos.chance.uniform(0, 0.05))
            else:
                chaos.fault()
        chaos.fork()
        tick.wait(QUIET)
        looks += 1
        lies += not chaos.is_true()
        served += chaos.is_served()
        looks += len(chaos.children)
        bad = chaos.exits()
        chaos.children.clear()
        lies += len(bad)
        for each in bad:
            print(each)
    print(
        f"{chaos.number} generations, {sum(chaos.done.values())} faults ({dict(chaos.done)}), "
        f"{looks} looks, {served} times all was served, {chaos.hung} unseen children hung, "
        f"{lies} lies"
    )
    assert lies == 0
    assert served > looks / 4
    gc.collect()
