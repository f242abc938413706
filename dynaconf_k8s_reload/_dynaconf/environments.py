"""Switching a settings object's environment, ``setenv`` and ``using_env``, beside reloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from dynaconf.base import Settings

from . import state
from .generation import published


@contextmanager
def switched(
    settings: Settings, env: Any, *, clean: Any, silent: Any, filename: Any
) -> Iterator[None]:
    """Switch the environment for a while, whatever the mounts switch it to meanwhile.

    dynaconf keeps the environment of before as one that code has chosen, and takes the default
    one for none, so that leaving it fails where the default is another by then
    (``Settings.using_env``).
    """
    before = list(state.get(settings, "loaded_envs"))
    try:
        with alone(settings):
            settings.setenv(env, clean=clean, silent=silent, filename=filename)
            state.put(settings, "loaded_envs", [*before, env.upper()])
        yield
    finally:
        with alone(settings):
            state.put(settings, "loaded_envs", list(before))
            settings.setenv(settings.current_env, clean=clean, filename=filename)
            state.put(settings, "loaded_envs", before)


def touch(settings: Settings, *, cleaned: bool) -> None:
    """Note that dynaconf has loaded anew and, if it cleaned first, that what code added is gone."""
    attachment = published(settings)
    if attachment is not None:
        if cleaned:
            attachment.assembly = tuple(each for each in attachment.assembly if each.lasting)
        attachment.generation.owner.touched()


def alone(settings: Settings) -> AbstractContextManager[object]:
    """Hold the lock of the object's reloads, unless it is being built, when nobody else has it."""
    attachment = published(settings)
    if attachment is None:
        return nullcontext()
    lock: AbstractContextManager[object] = attachment.generation.owner.lock
    return lock
