"""Kinds of values; lazy ones pinned to one generation; values laid out flat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from functools import cache
from typing import Any

from dynaconf.base import UPPER_DEFAULT_SETTINGS, Settings
from dynaconf.utils.parse_conf import Lazy, MetaValue

from .._model.changes import Change, Changes, diff, flatten, same, taken_out
from . import state
from .generation import attached, attachment_of

SCALARS = frozenset({str, bytes, int, float, bool, type(None), datetime, date, time})
OPTIONS = frozenset(UPPER_DEFAULT_SETTINGS)


def is_scalar(value: Any) -> bool:
    """Tell whether dynaconf stores this as it is, without parsing it any further."""
    kind = type(value)
    return kind in SCALARS and not (kind is str and value[:1] == "@")


def is_plain(value: Any) -> bool:
    """Tell whether there is nothing to parse or to merge in a value, however deep."""
    if isinstance(value, list):
        return all(is_plain(item) and not is_token(item) for item in list.__iter__(value))
    if isinstance(value, dict):
        return all(is_plain(item) and not is_token(key) for key, item in dict.items(value))
    return is_scalar(value)


def replaces(value: Any, *, parsed: bool, merges: bool) -> bool:
    """Tell whether dynaconf would replace whatever is there with a value.

    Args:
        value: to be set.
        parsed: a text is taken for TOML.
        merges: a dictionary or a list is merged with what is there.
    """
    if isinstance(value, (dict, list, tuple)):
        content = list(value) if isinstance(value, tuple) else value
        return not (merges or parsed) and is_plain(content)
    if isinstance(value, str):
        return is_scalar(value) and not (parsed and set("@[{").intersection(value))
    return not isinstance(value, (Lazy, MetaValue))


def is_token(value: object) -> bool:
    """Tell whether dynaconf may take a key or an item for a request to merge."""
    return isinstance(value, str) and value.lower().startswith(("dynaconf_merge", "_dynaconf_"))


class Literal(str):
    """A secret that starts like one of dynaconf's tokens, and is not one.

    dynaconf looks for tokens at each merge anew, up to 3.2 by ``startswith``, since then by
    ``partition`` (``dynaconf.utils.parse_conf``), so only a string that answers otherwise stays as
    it is. Once loading is done, the plain string takes its place.
    """

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        """Start with nothing."""
        return False

    def partition(self, _: str) -> tuple[str, str, str]:
        """Find nothing to part at, and nothing before it."""
        return ("", "", str(self))

    def __repr__(self) -> str:
        return "<Literal>"


class PinnedLazy(Lazy):  # type: ignore[misc] # reason: dynaconf is untyped
    """A lazy value that resolves ``this`` and ``env`` within its generation, however late."""

    anchor: Settings
    environment: Mapping[str, str]

    @property
    def context(self) -> dict[str, Any]:
        """What the template sees."""
        return {"env": self.environment, "this": self.anchor}

    def __repr__(self) -> str:
        return f"<@{self.formatter}>"

    @classmethod
    def of(cls, lazy: Lazy, anchor: Settings, environment: Mapping[str, str]) -> PinnedLazy:
        """Pin a copy: settings modules may share the original among objects."""
        pinned: PinnedLazy = cls.__new__(cls)
        pinned.__dict__.update(vars(lazy))
        pinned.anchor = anchor
        pinned.environment = environment
        return pinned

    def __deepcopy__(self, memo: dict[int, Any]) -> PinnedLazy:
        """Stay with the generation: copying the value must not copy all of its settings."""
        return PinnedLazy.of(self, self.anchor, self.environment)

    def __reduce__(self) -> Any:
        """Pickle as dynaconf's own, since a generation does not travel."""
        return Lazy, (self.value, self.formatter, self.casting)


def pinned(value: Any, settings: Settings) -> Any:
    """Pin a value that is being loaded, for dynaconf may evaluate it to merge it."""
    if not isinstance(value, Lazy):
        return value
    attachment = attached(settings)
    return PinnedLazy.of(
        value, attachment.generation.anchor, attachment.generation.plan.environment
    )


def pin(settings: Settings, anchor: Settings, environment: Mapping[str, str]) -> None:
    """Pin every lazy value of `settings` that is not pinned yet, and end every `Literal`."""
    _pin(state.get(settings, "store"), anchor, environment, literals_end=True)


def pin_key(settings: Settings, key: Any) -> None:
    """Pin the templates within what one key holds while an object is being loaded.

    A first load merges them before any variable of the mounts has been written.
    """
    attachment = attachment_of(settings)
    if attachment is None or attachment.build is None or attachment.generation.anchor is None:
        return
    value = dict.get(state.get(settings, "store"), str(key).upper())
    if isinstance(value, (dict, list)):
        _pin(value, attachment.generation.anchor, attachment.generation.plan.environment)


def _pin(
    container: Any, anchor: Settings, environment: Mapping[str, str], *, literals_end: bool = False
) -> None:
    for key, value in others_than_scalars(container):
        if isinstance(value, Lazy) and not isinstance(value, PinnedLazy):
            put_raw(container, key, PinnedLazy.of(value, anchor, environment))
        elif isinstance(value, (dict, list)):
            _pin(value, anchor, environment, literals_end=literals_end)
        elif literals_end and type(value) is Literal:
            put_raw(container, key, str(value))


def put_raw(container: Any, key: Any, value: Any) -> None:
    """Put a value into one of dynaconf's containers as it is."""
    kind: Any = dict if isinstance(container, dict) else list
    kind.__setitem__(container, key, value)


def others_than_scalars(container: Any) -> list[tuple[Any, Any]]:
    """Give the keys, or the numbers, of what is not a scalar in one of dynaconf's containers."""
    is_table = isinstance(container, dict)
    items = dict.items(container) if is_table else enumerate(list.__iter__(container))
    return [(key, value) for key, value in items if type(value) not in SCALARS]


def raw(settings: Settings) -> dict[Any, Any]:
    """The top-level settings as they are stored, lazy values unevaluated."""
    return dict(dict.items(state.get(settings, "store")))


def copied(value: Any) -> Any:
    """Copy plain and dynaconf's own containers, and lazy values; all else stays the object it is.

    A container that two builds share would carry ``@insert`` and ``@del`` from one to the other.
    Another thread may fill it meanwhile, as long as it is the application's.
    """
    if isinstance(value, Lazy):
        return Lazy(value.value, value.formatter, value.casting)  # for the next generation to pin
    if isinstance(value, dict) and is_container(value):
        return {key: copied(item) for key, item in list(dict.items(value))}
    if isinstance(value, list) and is_container(value):
        return [copied(item) for item in list.__iter__(value)]
    return value


def is_container(value: object) -> bool:
    """Tell a plain or dynaconf's own dictionary or list from an application's subclass of one."""
    return type(value) in (dict, list) or type(value).__module__.startswith("dynaconf.")


def flat_values(settings: Settings) -> dict[str, Any]:
    """Lay out an application's settings as dotted keys, lazy values evaluated.

    A lazy value that cannot be evaluated is given as it is.
    """
    flat: dict[str, Any] = {}
    for name, value in raw(settings).items():
        if name in OPTIONS:
            continue
        if type(value) in SCALARS:
            flat[str(name)] = value
        else:
            flat.update(flatten({name: _evaluated(value, settings)}))
    return flat


def changes_between(old: Settings, new: Settings) -> Changes:
    """Compare what readers see now with what they will see.

    What an application has added to a value in place, as Django does to ``DATABASES``, and will add
    to the next one as well, is not a change.
    """
    published, after = attached(old).values, attached(new).values or flat_values(new)
    before = flat_values(old)
    names = cache(lambda: {key.partition(".")[0] for key in after})

    def is_real(change: Change) -> bool:
        if change.kind == "modified":
            return True
        if change.kind == "added":
            return not is_filled(change.key, change.new, before, published)
        top = change.key.partition(".")[0]
        return top not in names() or taken_out(change.key, published, after)

    changes = diff(before, after)
    real = [change for change in changes.values() if is_real(change)]
    changes = changes if len(real) == len(changes) else Changes(real)
    return changes.cut(lambda: _named(old) | _named(new))


def is_filled(key: str, value: Any, now: Iterable[str], published: Mapping[str, Any]) -> bool:
    """Tell whether a value is an empty dictionary that was published, and code has filled since."""
    return (
        isinstance(value, dict)
        and same(published.get(key), value)
        and any(each.startswith(f"{key}.") for each in now)
    )


def _named(settings: Settings) -> set[tuple[str, ...]]:
    """The paths that the mounts' files, or the application's author, name."""
    names, generation = state.names(settings), attached(settings).generation
    keys = [key for name in generation.payload.variables for key in names.keys(name)]
    return {names.path(key) for key in (*keys, *generation.options.k8s_restart_keys)}


def _evaluated(value: Any, settings: Settings) -> Any:
    if type(value) in SCALARS:
        return value
    if isinstance(value, Lazy):
        try:
            value = value(settings)
        except Exception:  # noqa: BLE001 -- because a template may raise anything, at any read
            return str(value)
    if isinstance(value, dict):
        return {key: _evaluated(item, settings) for key, item in list(dict.items(value))}
    if isinstance(value, list):
        return [_evaluated(item, settings) for item in list.__iter__(value)]
    return value
