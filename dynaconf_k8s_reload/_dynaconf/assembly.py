"""What code adds to settings after ``Dynaconf(...)``, by dynaconf's own means, is done again.

Applications load further files, set values that they compute and load the environment again once
the object stands (``load_file``, ``update`` and ``set`` with a loader identifier, ``setdefault``,
``env_loader.load``). A process that starts does all that anew, so it is done to each candidate too,
in the same order.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from dynaconf.base import Settings
from dynaconf.loaders import env_loader
from dynaconf.utils import missing
from dynaconf.utils.functional import empty

from . import state
from .generation import attached, attachment_of, is_copy, published
from .identity import note_loaded
from .values import copied, raw, replaces

NUMBERS = itertools.count()
PUTTING = ("set", "update", "setdefault")
UPDATE = inspect.signature(Settings.update)

_loading: ContextVar[frozenset[int]] = ContextVar("loading", default=frozenset())


@dataclass(repr=False)
class Operation:
    """One call that code made on settings that were complete; never changed once made.

    Attributes:
        function: the method that was called, or a function with the settings as first argument.
        arguments: the positional ones behind the settings.
        keywords: the others.
        lasting: what it did outlasts dynaconf's own ``reload()``.
        merges: a dictionary or a list that it puts is merged with what is there.
        number: where it stands in the order of what code did.
    """

    function: str | Callable[..., object]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    lasting: bool = False
    merges: bool = False
    number: int = field(default_factory=NUMBERS.__next__, compare=False)

    def __repr__(self) -> str:
        return f"<Operation {getattr(self.function, '__name__', self.function)}>"

    @property
    def loads(self) -> bool:
        """It reads a file or the environment; otherwise it puts values that code has given."""
        return self.function not in PUTTING

    def repeat(self, settings: Settings) -> None:
        """Do it to a candidate; the file or the environment is read anew.

        Raises:
            Exception: whatever dynaconf raises.
        """
        arguments = [copied(argument) for argument in self.arguments]
        keywords = {name: copied(value) for name, value in self.keywords.items()}
        if isinstance(self.function, str):
            getattr(settings, self.function)(*arguments, **keywords)
        else:
            self.function(settings, *arguments, **keywords)

    def supersedes(self, earlier: Operation) -> bool:
        """Tell whether doing only this has the same effect as doing both."""
        if self == earlier:
            return True
        mine, theirs = self.puts, earlier.puts
        parsed, merges = bool(self.keywords.get("tomlfy")), self.merges
        return bool(theirs) and all(
            key in mine and replaces(mine[key], parsed=parsed, merges=merges) for key in theirs
        )

    def precludes(self, later: Operation) -> bool:
        """Tell whether a later call has no effect after this one: it is a default once more."""
        return self.function == later.function == "setdefault" and (
            self.arguments[0] == later.arguments[0]
        )

    @property
    def puts(self) -> Mapping[Any, Any]:
        """The values that code has given, by the settings that they replace."""
        if self.function == "set":
            return {self.arguments[0]: self.arguments[1]}
        data = (self.arguments[0] or {}) if self.function == "update" else None
        if not isinstance(data, Mapping):
            return {}
        further = {key: self.keywords[key] for key in self.keywords.keys() - UPDATE.parameters}
        return {**data, **further}


def repeat(settings: Settings, operations: Iterable[Operation]) -> None:
    """Do to a candidate, in order, what code did to the live object."""
    for operation in operations:
        with noting(settings, operation):
            operation.repeat(settings)


@contextmanager
def noting(candidate: Settings, operation: Operation) -> Iterator[None]:
    """Note what an operation replaces, where something was exported before it."""
    build = attached(candidate).under_way
    if all(export.number > operation.number for export in build.taken.exports):
        yield
        return
    store = state.get(candidate, "store")
    before = dict(dict.items(store))
    yield
    names = [name for name in store if dict.get(store, name) is not before.get(name, missing)]
    changed = {name: before.get(name, missing) for name in names}
    build.changed.append((operation.number, changed))


@contextmanager
def in_loading(settings: Settings) -> Iterator[None]:
    """Take what is done to the settings meanwhile as a part of their loading, not as code's."""
    token = _loading.set(_loading.get() | {id(settings)})
    try:
        yield
    finally:
        _loading.reset(token)


@contextmanager
def recorded(
    settings: Settings, function: str | Callable[..., object], *arguments: Any, **keywords: Any
) -> Iterator[None]:
    """Note a call that code makes on complete settings, unless it fails."""
    attachment = published(settings)
    if attachment is None or id(settings) in _loading.get() or is_copy(settings):
        yield
        return
    merges = keywords.get("merge", empty)
    operation = Operation(
        function,
        tuple(copied(argument) for argument in arguments),
        {name: copied(value) for name, value in keywords.items()},
        merges=bool(settings.get("MERGE_ENABLED_FOR_DYNACONF") if merges is empty else merges),
    )
    owner, before = attachment.generation.owner, raw(settings)
    with in_loading(settings):
        yield
        with owner.publishing:
            current = attachment_of(settings) or attachment
            if not any(each.precludes(operation) for each in current.assembly):
                earlier = [each for each in current.assembly if not operation.supersedes(each)]
                current.assembly = (*earlier, operation)
            if operation.loads and current is attachment:
                note_loaded(settings, before)
        if current is not attachment:  # it was done to a generation that is no longer served
            operation.repeat(settings)
    owner.touched()


def called_by_dynaconf() -> bool:
    """Tell whether the caller's caller is dynaconf itself, such as a validator."""
    frame = sys._getframe(2)
    return str(frame.f_globals.get("__name__")).startswith("dynaconf.")


def follow_env_loader() -> None:
    """Have dynaconf's loader of the environment note the calls of code; done only once.

    A call that finds no variable leaves no trace in the settings, but may find one after a restart.
    """
    original = env_loader.load_from_env
    if hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def load_from_env(obj: Any, *arguments: Any, **keywords: Any) -> None:
        settings = state.settings_behind(obj)
        if settings is None:  # it takes a dictionary, too
            original(obj, *arguments, **keywords)
        else:
            with recorded(settings, original, *arguments, **keywords):
                original(obj, *arguments, **keywords)

    env_loader.load_from_env = load_from_env
