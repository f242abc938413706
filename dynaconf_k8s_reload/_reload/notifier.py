"""Subscribers, and the one thread in which they are called."""

from __future__ import annotations

import contextvars
import inspect
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .._dynaconf import told
from .._model.changes import Changes
from .._model.clock import monotonic
from .._model.errors import ReloadRejected
from .._model.log import log
from .._watch import Hints
from .event_loops import running_loop, wait_for

if TYPE_CHECKING:
    import asyncio

LONG_SECONDS = 30.0
LOOK_EVERY = 60.0  # seconds, if no hint arrives
NO_THREAD = (
    "no thread can be started ({}), so subscribers have to wait; raise the limit of processes or "
    "memory (pids.max, ulimit -u)"
)

Kind = Literal["change", "error"]
Reference = Callable[[], Callable[..., Any] | None]


class _Subscriber:
    def __init__(
        self,
        kind: Kind,
        reference: Reference,
        patterns: tuple[str, ...],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.kind = kind
        self.reference = reference
        self.patterns = patterns
        self.loop = loop
        self.pending: Any = None

    def offer(self, news: Any) -> None:
        """Keep the news until the thread takes it, merged with what it has not taken yet."""
        if self.kind == "error":
            self.pending = news
        else:
            changes: Changes = news.matching(self.patterns) if self.patterns else news
            self.pending = changes if self.pending is None else self.pending.then(changes)
            self.pending = self.pending or None

    def take(self) -> Any:
        """Take the news, which then counts as told."""
        news, self.pending = self.pending, None
        return news


class _Board:
    """What the notifier and its thread share; the thread holds nothing else of the reloader."""

    def __init__(self, subscribers: Iterable[_Subscriber] = ()) -> None:
        self.lock = threading.RLock()
        # Not a condition: the garbage collector may close the board between the thread's look and
        # its wait, where it would wake nobody.
        self.hints = Hints()
        # Replaced, never changed: a signal handler may unsubscribe one while others are told.
        self.subscribers: Sequence[_Subscriber] = tuple(subscribers)
        self.whose = ""
        self.thread: threading.Thread | None = None
        self.resting = False  # the thread ends once everybody has been told
        self.closed = False  # it ends as soon as it can
        self.problem = ""  # why there is no thread although there should be
        self.is_told = False  # the log has the problem
        self.calling: tuple[str, float] | None = None  # whom, and since when

    @property
    def runs(self) -> bool:
        thread = self.thread
        return thread is not None and (thread.ident is None or thread.is_alive())


class Notifier:
    """Calls subscribers one after another, in the order of registration, outside every lock.

    The thread starts with the first subscriber. While a subscriber runs, what happens meanwhile is
    merged into one pending call for each.
    """

    def __init__(self) -> None:
        self._board = _Board()
        self._finalizer = weakref.finalize(self, _close, self._board)

    def subscribe(
        self, kind: Kind, function: Callable[..., Any], patterns: tuple[str, ...]
    ) -> None:
        """Register a function; of a bound method, the object is not kept alive.

        Raises:
            ConfigError: the function is asynchronous and no event loop runs.
        """
        loop = None
        if _is_async(function):
            loop = running_loop("register an async function in a coroutine")
        subscriber = _Subscriber(kind, reference_to(function), patterns, loop)
        with self._board.lock:
            alive = (s for s in self._board.subscribers if s.reference() is not None)
            self._board.subscribers = (*alive, subscriber)
            _wake(self._board)
        self._tell_problem()

    def unsubscribe(self, function: Callable[..., Any]) -> None:
        """Forget a function, however often it was registered."""
        board = self._board
        with board.lock:
            board.subscribers = tuple(
                s for s in board.subscribers if s.reference() not in (function, None)
            )

    def publish(self, kind: Kind, news: Changes | ReloadRejected, whose: str = "") -> None:
        """Tell the subscribers of this kind; returns at once.

        Args:
            kind: of news.
            news: what there is to tell.
            whose: names the settings object, at the end of a line of the log.
        """
        with self._board.lock:
            self._board.whose = whose
            for subscriber in self._board.subscribers:
                if subscriber.kind == kind:
                    subscriber.offer(news)
            if _next(self._board) is not None:
                _wake(self._board)
        self._tell_problem()

    @property
    def problem(self) -> str:
        """Why subscribers are not called; empty if they are."""
        calling = self._board.calling
        if calling is None or monotonic() - calling[1] < LONG_SECONDS:
            return self._board.problem
        name, since = calling
        return (
            f"subscriber {name} has been running for {monotonic() - since:.0f} s, and the others "
            f"wait for it; py-spy dump --pid {os.getpid()} shows where it is"
        )

    def tend(self) -> None:
        """Start the thread again where it could not be started, or where it has died."""
        board = self._board
        if board.problem or (not board.runs and _next(board) is not None):
            with board.lock:
                _wake(board)

    def _tell_problem(self) -> None:
        board = self._board
        if board.problem and not board.is_told:
            board.is_told = True
            log.warning("%s%s", board.problem, board.whose)

    def rest(self) -> None:
        """End the thread once everybody has been told; it starts again when there is news."""
        with self._board.lock:
            self._board.resting = True
            self._board.hints.give()

    def renew_after_fork(self) -> None:
        """Take fresh locks in a forked child, where no thread of the parent's lives on."""
        self._finalizer.detach()
        self._board = _Board(subscribers=self._board.subscribers)
        self._finalizer = weakref.finalize(self, _close, self._board)


def reference_to(function: Callable[..., Any]) -> Reference:
    """Refer to a function; to a bound method, without keeping its object alive."""
    if inspect.ismethod(function):
        return weakref.WeakMethod(function)
    return lambda: function


def _is_async(function: Callable[..., Any]) -> bool:
    called = getattr(function, "__call__", None)  # noqa: B004 -- because an object may have an `async def __call__`
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _wake(board: _Board) -> None:
    board.resting = False
    if board.runs:
        board.hints.give()
    else:
        board.hints.begin()  # the thread looks before it waits
        thread = threading.Thread(  # in a context of its own, not that of whoever starts it
            target=contextvars.Context().run,
            args=(_run, board),
            name="k8s-reload-notify",
            daemon=True,
        )
        board.thread = thread  # before it starts: a signal handler may publish meanwhile
        try:
            thread.start()
        except BaseException as error:  # a signal handler may raise here, too
            board.thread = None
            if not isinstance(error, (RuntimeError, MemoryError)):
                raise
            board.problem = NO_THREAD.format(type(error).__name__)
        else:
            board.problem, board.is_told = "", False


def _close(board: _Board) -> None:
    board.closed = True  # the garbage collector may call this at any point: wait for no lock
    board.hints.give()


def _run(board: _Board) -> None:
    while True:
        with board.lock:
            if board.thread is not threading.current_thread():
                # Another one has been started: a signal handler raised while this one started, or
                # while it was asked whether it lives, which up to Python 3.10 it then denies.
                return
            subscriber = _next(board)
            if board.closed or (board.resting and subscriber is None):
                board.thread = None
                return
            news = subscriber and subscriber.take()
        if subscriber is None:
            board.hints.wait(LOOK_EVERY)
        else:
            _call(board, subscriber, news)
        del subscriber, news


def _next(board: _Board) -> _Subscriber | None:
    return next((s for s in board.subscribers if s.pending is not None), None)


def _call(board: _Board, subscriber: _Subscriber, news: Any) -> None:
    function = subscriber.reference()
    if function is None:  # its object has been collected
        with board.lock:
            board.subscribers = tuple(s for s in board.subscribers if s is not subscriber)
        return
    name = getattr(function, "__qualname__", type(function).__name__)
    board.calling = (name, monotonic())
    try:
        if subscriber.loop is None:
            function(news)
        else:
            wait_for(function(news), subscriber.loop)
    except BaseException as error:  # noqa: BLE001 -- because one subscriber must not stop the others
        log.error("subscriber %s failed: %s%s", name, told(error), board.whose)
    finally:
        board.calling = None
