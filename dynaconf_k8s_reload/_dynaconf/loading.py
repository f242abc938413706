"""How a settings object that follows mounts loads: as dynaconf does it, with what we add."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dynaconf.base import Settings

from . import state
from .assembly import in_loading, repeat
from .completion import complete_with_validators
from .defaults import beneath_ours, loading, put_defaults
from .generation import ATTACHMENT, Attachment, attachment_of
from .takeover import take_over
from .values import pin
from .variables import LOADER, LOADERS

FRESH_VARS = "FRESH_VARS_FOR_DYNACONF"


def execute(settings: Settings, usual: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Run the loaders; a candidate first takes over what code did to the live object.

    Args:
        settings: the object that loads.
        usual: dynaconf's own ``execute_loaders`` of it.
        args: for `usual`.
        kwargs: for `usual`; with ``key`` only that one is loaded.
    """
    held = vars(settings)
    attachment: Attachment | None = held.get(ATTACHMENT)
    if attachment is None:
        usual(*args, **kwargs)
        return
    key, anchor = kwargs.get("key"), attachment.generation.anchor
    if (
        key is not None
        and attachment.build is None
        and settings is not anchor
        and held is vars(anchor)
    ):
        # Into the generation that it belongs to, even if another one is published meanwhile.
        anchor.execute_loaders(*args, **kwargs)
        return
    build = attachment.build
    with _once(settings, key=key):
        if key is None:
            put_defaults(settings)
        if build is None:
            with in_loading(settings):
                usual(*args, **kwargs)
        else:
            build.loading = state.get(settings, "store"), state.get(settings, "deleted")
            carried, build.carried = build.carried, None
            if carried is not None:
                take_over(settings, carried)
                if build.is_candidate:
                    complete_with_validators(settings)
            try:
                loading(settings)(*args, **kwargs)
            finally:
                build.loading = None
            if carried is not None:
                repeat(settings, carried.assembly)
    pin(settings, attachment.generation.anchor, attachment.generation.plan.environment)


def imported_loaders(settings: Settings) -> list[Any]:
    """Give the loaders' modules if all are imported already; none where dynaconf has to look.

    dynaconf imports them at each load, for which Python 3.10 takes a lock: a child that is forked
    meanwhile would wait for it for good (``importlib._bootstrap._find_and_load``).
    """
    named = state.option(settings, LOADERS)
    is_dynaconfs = beneath_ours(settings, "loaders") is vars(Settings)["loaders"]
    if not is_dynaconfs or not isinstance(named, list):
        return []
    names = state.get(settings, "loaders") or named
    modules = [sys.modules.get(str(name)) for name in names]
    if None in modules:
        return []
    state.put(settings, "loaders", names)
    return modules


def includes(
    settings: Settings, usual: Callable[..., None], env: Any, silent: Any, key: Any
) -> None:
    """Load the includes, and the mounts again, which beat them as the environment does.

    dynaconf does so only for its own ``env_loader`` (``Settings.load_includes``).
    """
    attachment = attachment_of(settings)
    build = None if attachment is None else attachment.build
    load = partial(usual, env, silent=silent, key=key)
    before = _count_of_files(settings)
    if attachment is None or build is None or build.is_candidate:
        load()
    else:
        attachment.generation.owner.explaining(settings, load)
    if _count_of_files(settings) != before:
        for loader in settings.loaders:
            if loader.__name__ == LOADER:
                loader.load(settings, env, silent=silent, key=key)
    if attachment is not None and build is not None and build.completes_at_includes:
        build.completes_at_includes = False
        attachment.generation.owner.constructed(settings, lambda: None)


@contextmanager
def _once(settings: Settings, *, key: Any) -> Iterator[None]:
    """Load what ``fresh()`` or ``fresh_vars`` asks for once, not again for each nested key."""
    if key is None:
        yield
        return
    held: Any = vars(settings).get("__core__")
    held = vars(settings) if held is None else vars(held.config)
    fresh, names = ("fresh", "fresh_vars") if "fresh" in held else ("_fresh", FRESH_VARS)
    before = {fresh: held[fresh], names: held[names]}
    held.update({fresh: False, names: []})
    try:
        yield
    finally:
        held.update(before)


def _count_of_files(settings: Settings) -> int:
    return len(state.get(settings, "loaded_files")) + len(state.get(settings, "loaded_py_modules"))
