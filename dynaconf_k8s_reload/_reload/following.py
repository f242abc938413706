"""`Following`: one reloader's side of the watch, from `start` to `stop`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence

from .._model.status import Status
from .._source.fingerprint import Token
from .._watch import RENEWED_AFTER_FORK, Timing, Watch, Watched, Watcher, notice_fork
from .generations import Generations
from .health import Health
from .memory_file import MEMORY_FILE, StatusEntry
from .notifier import Notifier
from .process import Process

STOP_SECONDS = 0.5


class Following:
    """Makes one application's object follow its mounts, and tells how that goes.

    Args:
        generations: what follows.
        notifier: tells the subscribers.
        process: leads it together with those that share its mounts.
        watcher: watches the mounts.
    """

    def __init__(
        self, generations: Generations, notifier: Notifier, process: Process, watcher: Watcher
    ) -> None:
        self._generations = generations
        self._notifier = notifier
        self._process = process
        self._mirror = process.mirror
        self._watcher = watcher
        self._watch: Watch | None = None
        self._health = Health(generations, watcher, notifier)
        self._published = StatusEntry(generations.key, self._health, watcher)
        generations.progress.on_long = self.takes_long
        RENEWED_AFTER_FORK.add(self)

    @property
    def is_on(self) -> bool:
        """It has been started and not stopped since, and a thread could be had for it."""
        return self._watcher.mode(self._watch) != "off"

    def status(self) -> Status:
        """Tell what is being served, and how the watch is."""
        watch = self._watch
        if watch is not None:
            self._watcher.prompt(watch)
        with self.publishing:
            return self._health.status(watch)

    def start(self) -> None:
        """Watch the mounts and mirror them; revive a watch that has ended."""
        notice_fork()
        generations = self._generations
        with generations.lock:
            watch = self._watch
            if watch is not None:
                if self._watcher.mode(watch) == "off":
                    self._watcher.add(watch)
            elif generations.options.k8s_mounts and not generations.inert:
                self._begin()

    def _begin(self) -> None:
        generations = self._generations
        with self.publishing:
            generations.resume()
        options = generations.options
        paths = [mount.path for mount in options.k8s_mounts]
        timing = Timing(options.k8s_settle, options.k8s_jitter)
        # With a callback: Python 3.15 clears a reference that has none only after the finalizers
        # that withdraw the status, so the watch could publish that of a dead object again.
        owner: weakref.ref[Watched] = weakref.ref(self, lambda _: None)
        watch = Watch(paths, owner, options.k8s_resync, options.k8s_debounce, timing)
        self._watch = watch
        self._process.join(generations)
        self._watcher.add(watch)
        self._published.write(watch)
        # A stop() from a signal handler meanwhile did not find all of this to undo.
        if generations.stopped or self._watch is not watch:
            self._watch = watch
            self.leave()
            self._published.withdraw()

    def stop(self, *, restore: bool = False) -> None:
        """Stop watching; see `Reloader.stop`."""
        notice_fork()
        generations = self._generations
        watch, self._watch = self._watch, None
        self._process.leave(generations)
        if watch is not None:
            self._watcher.remove(watch, wait=STOP_SECONDS)
        self._notifier.rest()
        self._published.withdraw()
        with self.publishing:
            # A reload that takes longer than we wait publishes no more.
            generations.stopped = True
            if not generations.inert:
                self._mirror.stop(generations.key, restore=restore)

    def leave(self) -> bool:
        """Stop watching, without waiting for a comparison; tells whether it was watched."""
        watch, self._watch = self._watch, None
        if watch is None:
            return False
        self._process.leave(self._generations)
        self._watcher.remove(watch)
        return True

    def told(self) -> None:
        """Say what the log and the process's status have to say of a new generation."""
        self._health.tell_presence()
        self._published.write(self._watch)

    def takes_long(self) -> None:
        """A reload takes long, or has ended at last: publish that, unless it was stopped."""
        self._published.renew(self._watch)

    def tend(self) -> None:
        """Notice a fork, and compare where no thread can."""
        notice_fork()
        watch = self._watch
        if watch is not None:
            self._watcher.tend(watch)

    # what the watching thread calls, and a forked child

    @property
    def seen(self) -> Sequence[Token]:
        """What the mounts were when last read; equal to nothing if they are to be read again."""
        self._mirror.settle()
        seen = self._generations.reader.seen
        return [Token()] * len(seen) if self._generations.history.is_stuck else seen

    @property
    def files(self) -> tuple[Token, Token] | None:
        """How the settings files outside the mounts are, and were; ``None`` if not followed."""
        return self._generations.files.tokens(self._generations.settings)

    def changed(self) -> None:
        """A comparison found a difference: reload."""
        self._process.reload(self._generations, explicit=False)
        self._health.tell_presence()

    def looked(self) -> None:
        """The mounts have been compared."""
        self._notifier.tend()
        if self._watch is not None:  # it may have been stopped meanwhile
            self._published.looked(self._watch)

    def mark_fork(self) -> None:
        """Have a forked child renew itself at its first use."""
        MEMORY_FILE.abandon()
        self._process.mark_fork(notice_fork)
        self._generations.mark_fork(notice_fork)

    @property
    def publishing(self) -> threading.RLock:
        """Held for the moment of publication, and during a fork."""
        return self._generations.publishing

    def renew_after_fork(self) -> None:
        """Take fresh locks in a forked child: threads that stayed behind may hold the old ones."""
        self._mirror.renew_lock()
        self._process.renew_after_fork()
        self._generations.renew_after_fork()
        self._notifier.renew_after_fork()
        self._published.renew(self._watch)
