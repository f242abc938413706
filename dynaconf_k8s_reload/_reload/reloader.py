"""`Reloader`, what an application holds: reload, status, snapshots, subscriptions, the watch."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dynaconf.base import Settings

from .._environ.mirror import Mirror
from .._environ.staging import end_stage
from .._model.errors import ConfigError
from .._model.options import Options
from .._model.status import ReloadResult, Status
from .._source.snapshot import Snapshot
from .._watch import WATCHER, notice_fork
from .fallback import Fallback
from .following import Following
from .generations import Generations
from .memory_file import MEMORY_FILE
from .notifier import Notifier
from .pin import Pin, pinned
from .process import PROCESS, Process
from .refusal import without_values

if TYPE_CHECKING:
    from .._model.explanation import Explanation
    from .stream import Stream

GIVE_WAY_SECONDS = 1.0

Function = TypeVar("Function", bound=Callable[..., Any])


class Reloader:
    """Makes one application's settings, and ``os.environ``, follow its mounts.

    There is one for each ``Dynaconf(...)`` whose loaders name ``dynaconf_k8s_reload.loader``;
    `get_reloader` returns it. As a context manager it watches within the ``with`` block.
    """

    def __init__(self, options: Options, *, process: Process = PROCESS) -> None:
        self._notifier = Notifier()
        self._process = process
        mirror = process.mirror
        self.generations: Generations = Generations(options, self, self._notifier, mirror)
        self.generations.inert = process.is_building
        self.key: int = self.generations.key
        self.fallback: Fallback = Fallback(self.generations, mirror)
        self.observe(self.fallback.observe)
        self.following: Following = Following(self.generations, self._notifier, process, WATCHER)
        for forget in (mirror.forget, MEMORY_FILE.drop):
            weakref.finalize(self, forget, self.key).atexit = False

    def __repr__(self) -> str:
        generations = self.generations
        return f"<Reloader of {generations.label}, generation {generations.history.generation}>"

    @property
    def options(self) -> Options:
        """The options of the settings that are being served."""
        return self.generations.options

    # what an application calls

    def reload(self) -> ReloadResult:
        """Reload now, in this thread, without waiting for the subscribers.

        It reads the mounts, even content that was refused before. What is wrong with them is in
        ``error`` of the result, and is not raised.

        Raises:
            ConfigError: it is called from within a reload, by a check or a hook.
        """
        notice_fork()
        result = self._process.reload(self.generations, explicit=True)
        self.following.told()
        return result

    def status(self) -> Status:
        """Return what is being served, and how the watch is doing.

        Right after the start it waits, a second at most, until it is known whether events come.
        """
        self.following.tend()
        return self.following.status()

    def snapshot(self) -> Settings:
        """Return the settings of this generation, which nothing that happens later can touch.

        Several reads that must agree go through one snapshot. It is made once for a generation;
        treat it as read-only, since others may hold the same. Within `pin` it stays the same.
        """
        self.following.tend()
        snapshot = pinned(self.key)
        return self.generations.snapshot() if snapshot is None else snapshot

    def pin(self) -> Pin:
        """Keep `snapshot` at one generation within a context: a thread, a task, a greenlet.

        As a context manager it keeps the generation of its beginning, and gives its snapshot; what
        inherits the context, such as a task or ``asyncio.to_thread``, keeps it too. A pin within a
        pin keeps the outer one's. As a decorator it does so for each call of a function, ``async``
        or not, such as a Celery task.
        """
        return Pin(self.key, self.snapshot)

    def explain(self, name: str) -> Explanation:
        """Say where a setting comes from: which mount, file and rule, or which other source.

        A mount that has it is named even where a hook, or code, has set it again since.

        Args:
            name: a dotted key, or the name of a variable.
        """
        from .explaining import explain_setting  # noqa: PLC0415 -- because a start pays for it

        return explain_setting(self.generations.settings, name)

    def on_change(self, *patterns: str) -> Callable[[Function], Function]:
        """Subscribe a function to changes of the settings.

        Args:
            patterns: dotted keys or shell-style patterns, in any case; none means every change.
                A key covers what is nested in it.

        Raises:
            ConfigError: a pattern is not text, as where the parentheses are left out.

        The function is called with the `Changes` that match, once for each generation, in the
        notifier's thread; an ``async def`` on the event loop that runs while it is registered.
        A bound method does not keep its object alive.
        """
        if any(not isinstance(pattern, str) for pattern in patterns):
            raise ConfigError(
                "on_change takes patterns; write @reloader.on_change() for every change"
            )

        def register(function: Function) -> Function:
            notice_fork()
            self._notifier.subscribe("change", function, patterns)
            return function

        return register

    def on_validate(self, function: Function) -> Function:
        """Have a function check each update before anything is published.

        The function is called with the candidate settings and the `Changes`; raising rejects.
        """
        with self.publishing:
            self.generations.checks.add(function)
        return function

    def on_error(self, function: Function) -> Function:
        """Subscribe a function to the `ReloadRejected` of each refused content."""
        notice_fork()
        self._notifier.subscribe("error", function, ())
        return function

    def unsubscribe(self, function: Callable[..., Any]) -> None:
        """Forget a function that was given to `on_change`, `on_validate` or `on_error`."""
        with self.generations.publishing:
            self.generations.checks.remove(function)
        self._notifier.unsubscribe(function)

    def changes(self, *patterns: str) -> Stream:
        """Return an asynchronous iterator of `Changes`, from now on, for the running event loop."""
        from .stream import Stream  # noqa: PLC0415 -- because a start pays for it

        notice_fork()
        return Stream(self._notifier, patterns)

    def start(self) -> None:
        """Watch the mounts and mirror them; revive a watch that has ended."""
        self.following.start()

    def stop(self, restore: bool = False) -> None:  # noqa: FBT001, FBT002 -- because the published signature has it so
        """Stop watching; the settings stay as they are.

        Args:
            restore: also put the environment back as it was before the mirror, except what the
                application has changed since.
        """
        self.following.stop(restore=restore)

    def __enter__(self) -> Reloader:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # what the loader and the settings objects call

    @property
    def mirror(self) -> Mirror:
        """Writes the environment."""
        self._process.notice_fork()
        return self._process.mirror

    @property
    def lock(self) -> threading.RLock:
        """Held for a whole reload, one at a time."""
        self._process.notice_fork()
        return self.generations.lock

    def observe(self, function: Callable[[ReloadResult], object]) -> None:
        """Have a function called with each reload's result, in the thread that reloads."""
        self.generations.observers += (function,)

    @property
    def publishing(self) -> threading.RLock:
        """Held for the moment of publication, and for what must not fall into it.

        A publication may go first, not for ever: a hook in it may be waiting for this thread.
        """
        self._process.notice_fork()
        turnstile = self.generations.turnstile
        if turnstile.acquire(timeout=GIVE_WAY_SECONDS):
            turnstile.release()
        return self.generations.publishing

    def read_first(self, options: Options) -> Sequence[Snapshot]:
        """Read the mounts for a first load, or give what the build has read that this is a part of.

        Raises:
            MountError: a mount cannot be read, or a required one is absent.
        """
        return self._process.read_first(self.generations, options)

    def explaining(self, settings: Settings, step: Callable[[], object]) -> None:
        """Do a step of a first load; what it raises names the culprit."""
        without_values(settings, step)

    def touched(self) -> None:
        """Code has set something: the next snapshot has it."""
        self.generations.forget_snapshot()

    def constructed(self, settings: Settings, validate: Callable[[], object]) -> None:
        """Validate a new object, mirror it and publish it as a first generation, and watch.

        It is the very first one, or what ``configure()`` made: then subscribers stay.
        """
        end_stage()
        with self.lock:
            self.fallback.construct(settings, validate)
            was_following = self.following.leave()
            self.generations.adopt(settings)
            self.fallback.adopted()
            self.following.told()
            if was_following or self.options.k8s_watch:
                self.start()
            snapshots = self.generations.payload.snapshots
            self.generations.lines.loaded(snapshots, watching=self.following.is_on)
