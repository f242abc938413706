"""All settings objects of a process that share a mount move together: all of them, or none."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from .._environ.first_read import before_first_read
from .._environ.mirror import MIRROR, Mirror
from .._environ.staging import rest_as_usual
from .._model.options import Options
from .._model.status import ReloadResult
from .._source.snapshot import Snapshot
from .._source.switch_interval import short_switch_interval
from .._watch import greenlets_are_being_set_up, notice_fork
from .generations import Generations
from .passing import Pass
from .progress import busy


class Process:
    """Knows the objects that are watching, and leads those that share mounts through a reload.

    Args:
        mirror: writes the environment.
    """

    def __init__(self, mirror: Mirror = MIRROR) -> None:
        self.mirror = mirror
        self._watching: dict[int, weakref.ref[Generations]] = {}  # by key
        self._passes: dict[int, Pass] = {}  # by the thread that is within one

    def join(self, member: Generations) -> None:
        """Have an object follow together with those that share a mount with it."""
        key, watching = member.key, self._watching
        watching[key] = weakref.ref(member, lambda _: watching.pop(key, None))

    def leave(self, member: Generations) -> None:
        """Have an object move by its own ``reload()`` only."""
        self._watching.pop(member.key, None)

    @property
    def is_building(self) -> bool:
        """This thread builds a generation, so an object that is made now belongs to it."""
        return threading.get_ident() in self._passes

    def notice_fork(self) -> None:
        """Notice a fork that Python has not seen, before a lock is taken that may stay held.

        Not within a reload, which may itself be what a child's first use waits for.
        """
        if not self.is_building:
            notice_fork()

    def read_first(self, member: Generations, options: Options) -> list[Snapshot]:
        """Read the mounts for a first load, or give what the build has read that this is a part of.

        Raises:
            MountError: a mount cannot be read, or a required one is absent.
        """
        within = self._passes.get(threading.get_ident())
        return member.reader.read_first(options) if within is None else within.read_mounts(options)

    def reload(self, first: Generations, *, explicit: bool) -> ReloadResult:
        """Reload an object, and all that move with it.

        Args:
            first: the object whose reload it is.
            explicit: code has asked for it, so refused content is tried, too.

        Raises:
            ConfigError: it is called from within a reload, by a check or a hook.
            BaseException: what a signal handler raises, if code has asked for the reload.
        """
        ident = threading.get_ident()
        within = self._passes.get(ident)
        if within is not None:
            return within.reload_later(first)
        self.mirror.settle()
        with self._alone(first) as members, short_switch_interval(), busy(members):
            current = self._passes[ident] = Pass(self.mirror, members, explicit=explicit)
            try:
                results = current.run()
            finally:
                del self._passes[ident]
        for member in members:
            member.observed(results[member.key])
        for member in current.again:
            self.reload(member, explicit=True)
        return results[first.key]

    def mark_fork(self, prepare: Callable[[], object]) -> None:
        """Have something done in a forked child before it reads a variable that may change."""
        if self._watching:
            before_first_read(self._may_change, prepare)

    def _may_change(self, name: str | None) -> bool:
        """Tell whether a variable, or any if that is ``None``, may not be the mounts' any more."""
        if greenlets_are_being_set_up():
            return False
        if name is None or self.mirror.knows(name):
            return True
        return any(each.has_moved for each in self._followers())

    def renew_after_fork(self) -> None:
        """Forget the threads that stayed behind in the parent."""
        rest_as_usual()
        mine = self._passes.get(threading.get_ident())
        self._passes = {} if mine is None else {threading.get_ident(): mine}

    @contextmanager
    def _alone(self, first: Generations) -> Iterator[list[Generations]]:
        """Hold the locks of all that move together, in the order of their keys."""
        while True:
            members = self._members(first)
            with ExitStack() as locks:
                for member in members:
                    locks.enter_context(member.lock)
                if self._members(first) == members:  # nobody has come or gone meanwhile
                    yield members
                    return

    def _members(self, first: Generations) -> list[Generations]:
        """Give an object, and those that share a mount with it, directly or through others."""
        if first.key not in self._watching:
            return [first]
        found, paths = {first.key: first}, first.paths
        others = self._followers()
        while joined := [o for o in others if o.key not in found and not paths.isdisjoint(o.paths)]:
            found.update({other.key: other for other in joined})
            paths = paths.union(*(other.paths for other in joined))
        return sorted(found.values(), key=lambda member: member.key)

    def _followers(self) -> list[Generations]:
        return [member for ref in list(self._watching.values()) if (member := ref()) is not None]


PROCESS = Process()
