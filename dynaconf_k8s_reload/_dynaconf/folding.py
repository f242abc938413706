"""Nested names folded into the value of their parent: what merging them one by one would give.

For each nested name dynaconf walks through all that the parent has so far (``Settings._dotted_set``
and ``object_merge``), so many names under one parent take quadratic time. But a scalar at the end
of a path changes nothing except that place, so here it is put there directly. Whatever merging
would do beyond that (tokens, text to be parsed again, lists in the way) is left to dynaconf.
"""

from __future__ import annotations

from typing import Any

from dynaconf.utils.parse_conf import Lazy, MetaValue, parse_conf_data

from . import state
from .containers import contained, put_up_to_3_2
from .values import SCALARS, Literal, is_scalar, is_token

MISSING: Any = object()


class _Level:
    """A dictionary within a parent that nobody else holds, so that it may be changed.

    Attributes:
        held: the dictionary.
        spelled: its keys, by each spelling in lower case that dynaconf takes for them.
        templates: the keys whose templates have still to be evaluated.
        touched: the keys that were set, the last one last.
    """

    __slots__ = ("held", "spelled", "templates", "touched")

    def __init__(self, held: Any) -> None:
        self.held = held
        self.spelled: dict[str, str] = {}
        self.templates: list[str] = []
        self.touched: dict[str, None] = {}

    @classmethod
    def copied(cls, found: Any, empty: Any) -> _Level | None:
        """Copy a dictionary into an empty one, unless its keys are not what dynaconf expects."""
        level = cls(empty)
        for key, value in dict.items(found):
            if not isinstance(key, str) or key.lower() in level.spelled:
                return None
            level.put(key, value)
            if " " in key:
                level.spelled.setdefault(key.replace(" ", "_").lower(), key)
            if isinstance(value, Lazy):
                level.templates.append(key)
        level.touched.clear()
        return level

    def find(self, part: str) -> str:
        """Give the key that a part of a name means (``find_the_correct_casing``)."""
        return part if dict.__contains__(self.held, part) else self.spelled.get(part.lower(), part)

    def has(self, part: str) -> bool:
        """Tell whether there is such a key, in whatever spelling."""
        return part.lower() in self.spelled

    def put(self, key: str, value: Any) -> None:
        """Set a key."""
        if state.UP_TO_3_2:
            put_up_to_3_2(self.held, key, value)
            self.touch(key)
        else:
            dict.__setitem__(self.held, key, value)
        self.spelled.setdefault(key.lower(), key)

    def touch(self, key: str) -> None:
        self.touched.pop(key, None)
        self.touched[key] = None

    def settle(self) -> None:
        """Evaluate templates, as dynaconf does whenever it merges something beside them.

        Once is enough: what a template names does not go while a parent is folded.
        """
        while self.templates:
            self.held[self.templates[-1]]
            self.templates.pop()

    def sort(self) -> None:
        """Move what was set last to the front, as merging does up to 3.2."""
        others = [key for key in dict.keys(self.held) if key not in self.touched]
        for key in (*reversed(self.touched), *others):
            dict.__setitem__(self.held, key, dict.pop(self.held, key))


class Parent:
    """One top-level setting while nested names are folded into it; `of` makes it.

    Attributes:
        tree: the setting's value.
    """

    def __init__(self, settings: Any, root: _Level, *, has_lists: bool) -> None:
        self.tree = root.held
        self._settings = settings
        self._levels = {id(root.held): root}
        self._has_lists = has_lists
        self._last: tuple[str, Any, Any] | None = None

    @classmethod
    def of(cls, settings: Any, name: str) -> Parent | None:
        """Begin with what a setting is so far; give nothing if dynaconf has to merge it.

        Args:
            settings: the object that is being loaded.
            name: the setting's, in upper case.
        """
        store = state.get(settings, "store")
        found = dict.get(store, name, MISSING)
        empty = type(store)(box_settings=settings)
        if found is MISSING or name in state.get(settings, "deleted"):
            return cls(settings, _Level(empty), has_lists=False)
        lists: list[Any] = []
        if type(found) is not type(store) or not found or not _is_merged(found, lists):
            return None
        root = _Level.copied(found, empty)
        return None if root is None else cls(settings, root, has_lists=bool(lists))

    def put(self, key: str, path: tuple[str, ...], value: Any, source: Any) -> bool:
        """Set what is nested; tell whether that was possible, otherwise nothing has changed.

        Args:
            key: the whole name.
            path: its parts, without the parent's own.
            value: a scalar, a template, or a container in which nothing is left to parse.
            source: where it comes from, as dynaconf tells its users.
        """
        levels = self._levels_on(path)
        if levels is None or not _is_free(levels, path, value):
            return False
        unevaluated = isinstance(value, Lazy)
        if self.tree:
            state.clear_cache(self._settings)
            for level in levels:
                level.settle()
            if unevaluated:
                value, unevaluated = self._merged(levels, path, value)
                if not (is_scalar(value) or isinstance(value, Lazy)):
                    return False
        self._has_lists |= isinstance(value, (dict, list))
        self._last = key, value, source
        level = self._descend(levels, path)
        stored = contained(self._settings, parsed_again(value, self._settings))
        level.put(level.find(path[-1]), stored)
        if unevaluated:
            level.templates.append(path[-1])
        return True

    def finish(self) -> None:
        """Give the value the order and the types that dynaconf would have given it."""
        if state.UP_TO_3_2:
            for level in self._levels.values():
                level.sort()
        elif self._has_lists and self._last is not None:
            # Each merge since 3.3 makes lists of `DataList`s or back, depending on where they are.
            key, value, source = self._last
            self._settings.set(key, value, loader_identifier=source, validate=False)

    def _merged(self, levels: list[_Level], path: tuple[str, ...], template: Lazy) -> Any:
        """Give what merging makes of a template, and whether that has still to be evaluated."""
        is_reached = len(levels) == len(path)
        if not state.UP_TO_3_2 or (is_reached and levels[-1].has(path[-1])):
            return template(self._settings), False  # it stays what it is at this moment
        if is_reached:
            template(self._settings)
        return template, not is_reached

    def _levels_on(self, path: tuple[str, ...]) -> list[_Level] | None:
        """Give the dictionaries, the parent's first, that a path leads through so far."""
        level = self._levels[id(self.tree)]
        levels = [level]
        for part in path[:-1]:
            key = level.find(part)
            found = dict.get(level.held, key, MISSING)
            if found is MISSING:
                break
            if type(found) is not type(self.tree):
                return None
            below = self._levels.get(id(found))
            if below is None:
                below = _Level.copied(found, self._empty())
                if below is None:
                    return None
                self._own(level, key, below)
            level = below
            levels.append(level)
        return levels

    def _descend(self, levels: list[_Level], path: tuple[str, ...]) -> _Level:
        """Make the dictionaries that are still missing on a path; give the last one."""
        if state.UP_TO_3_2:
            for level, part in zip(levels[:-1], path, strict=False):
                level.touch(level.find(part))
        level = levels[-1]
        for part in path[len(levels) - 1 : -1]:
            below = _Level(self._empty())
            self._own(level, part, below)
            level = below
        return level

    def _empty(self) -> Any:
        kind: Any = type(self.tree)
        return kind(box_settings=self._settings)

    def _own(self, level: _Level, key: str, below: _Level) -> None:
        level.put(key, below.held)
        self._levels[id(below.held)] = below


def _is_free(levels: list[_Level], path: tuple[str, ...], value: Any) -> bool:
    """Tell whether a value simply takes its place at the end of a path."""
    if len(levels) < len(path):
        return True
    found = dict.get(levels[-1].held, levels[-1].find(path[-1]), MISSING)
    if found is MISSING:
        return True
    if type(found) not in SCALARS or isinstance(value, (dict, list)):
        return False
    # Up to 3.2 merging drops what has this key and the same value further up.
    last = path[-1].lower()
    return not state.UP_TO_3_2 or all(last not in level.spelled for level in levels[:-1])


def _is_merged(value: Any, lists: list[Any], *, kind: Any = None, in_list: bool = False) -> bool:
    """Tell whether merging something else would leave a value as it is; note its lists."""
    kind = kind or type(value)
    if type(value) is kind:
        return all(
            not is_token(key) and _is_merged(item, lists, kind=kind, in_list=in_list)
            for key, item in dict.items(value)
        )
    if isinstance(value, list):
        lists.append(value)
        return all(
            not is_token(item) and _is_merged(item, lists, kind=kind, in_list=True)
            for item in list.__iter__(value)
        )
    if isinstance(value, str):
        return is_scalar(value) or type(value) is Literal
    if isinstance(value, Lazy):
        return not in_list  # merging evaluates it there
    return not isinstance(value, (dict, tuple, MetaValue))


def parsed_again(value: Any, settings: Any) -> Any:
    """Parse a value once more, as dynaconf does when it sets one: lists within become plain ones.

    A list of scalars stays as it is, so that is not done.
    """
    if not isinstance(value, (dict, list)):
        return value
    if isinstance(value, list) and all(map(is_scalar, list.__iter__(value))):
        return value
    return parse_conf_data(value, box_settings=settings)
