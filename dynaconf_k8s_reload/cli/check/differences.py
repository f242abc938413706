"""What code did to settings after loading, and what a reload of the same content makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dynaconf.base import LazySettings, Settings

from ... import _dynaconf
from ..._model.changes import Change, diff, flatten, same
from ..._model.errors import ReloadRejected
from ..._model.shown import counted
from ..findings import KEYS, Finding

NOTHING = object()
DJANGOS_OWN = "ORIGINAL_SETTINGS_MODULE"  # put there by dynaconf, with Django's defaults
TYPEDS_OWN = ".annotations."  # put there by a class of `dynaconf.typed`

URLS = ("MEDIA_URL", "STATIC_URL")


def set_by_code(loaded: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Finding]:
    """Name what was set between the end of loading and the end of the import.

    Args:
        loaded: the settings when their object was complete, dotted.
        now: the settings as they are.
    """
    defaults = _defaults_of_django() if DJANGOS_OWN in now else {}
    keys = [
        change.key
        for change in diff(loaded, now).values()
        if change.kind != "removed"
        and not change.key.startswith(TYPEDS_OWN)
        and not issubclass(type(change.new), (LazySettings, Settings))
        and not _is_djangos(change, defaults)
    ]
    if keys:
        yield Finding(
            "set-by-code",
            "note",
            "Settings that code sets after loading",
            f"{counted(len(keys), 'setting')} set by code after loading: {KEYS}.",
            "A reload does the same again or keeps the values, but computes nothing: make a value "
            "that depends on other settings in a post hook, or where it is used.",
            keys,
        )


def _defaults_of_django() -> dict[str, Any]:
    """Give the settings that ``DjangoDynaconf`` adds to those it has loaded."""
    from django.conf import global_settings  # noqa: PLC0415 -- because only Django has them

    defaults = {name: getattr(global_settings, name) for name in dir(global_settings)}
    return flatten({name: value for name, value in defaults.items() if name.isupper()})


def _is_djangos(change: Change, defaults: Mapping[str, Any]) -> bool:
    """Tell whether ``DjangoDynaconf`` has put a setting there; it turns tuples into lists."""
    if change.key == DJANGOS_OWN or (change.key in URLS and change.new == f"/{change.old or ''}"):
        return True  # Django itself puts the script's prefix before a relative one
    default = defaults.get(change.key, NOTHING)
    return isinstance(default, (list, tuple)) or same(default, change.new)


def differing(
    before: Mapping[str, Any], after: Mapping[str, Any], added: Collection[str]
) -> Iterator[Finding]:
    """Name what is not the same after a reload of the same content.

    Args:
        before: the settings before it, dotted.
        after: the settings after it.
        added: what the rehearsal itself has added.
    """
    changes = [
        change
        for change in diff(before, after).values()
        if change.key not in added and not change.key.startswith(TYPEDS_OWN)
    ]
    lost = [change.key for change in changes if change.kind == "removed"]
    changed = [
        change.key
        for change in changes
        if change.kind != "removed" and not _are_equal_settings(change, added)
    ]
    if lost:
        yield Finding(
            "lost-by-reload",
            "error",
            "Settings that a reload would lose",
            f"{counted(len(lost), 'setting')} would be gone after a reload: {KEYS}.",
            "Set them in a settings file or a hook, or with a loader_identifier, so that it is "
            "done again.",
            lost,
        )
    if changed:
        yield Finding(
            "changed-by-reload",
            "warning",
            "Settings that differ after a reload of the same content",
            f"{counted(len(changed), 'setting')} would change: {KEYS}.",
            "Expect a change of them with each update, or make them of the content only.",
            changed,
        )


def _are_equal_settings(change: Change, added: Collection[str]) -> bool:
    """Tell whether a setting that is a settings object was made anew with the same content."""
    old, new = change.old, change.new
    if type(old) is not type(new) or not issubclass(type(old), (LazySettings, Settings)):
        return False
    both = (_dynaconf.flat_values(_dynaconf.unwrap(each)) for each in (old, new))
    return set(diff(*both)) <= set(added)


def refused_by_reload(error: ReloadRejected) -> Finding:
    """Make the finding of a rehearsal that was refused."""
    return Finding(
        "refused-by-reload",
        "error",
        "A reload refuses what a start takes",
        f"{str(error).partition('; ')[0]}.",
        "If a check of on_validate refuses it, which a start does not ask, correct the content; "
        "else look for what the application does only once, such as in a hook.",
        error.keys,
    )
