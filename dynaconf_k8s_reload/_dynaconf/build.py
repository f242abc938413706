"""Adopting the object that dynaconf made, and building candidates of it aside."""

from __future__ import annotations

from typing import Any

from dynaconf.base import Settings

from .._model.record import replace
from . import state
from .assembly import follow_env_loader
from .children import renew_children, succeed
from .completion import complete_with_validators
from .containers import hand_over
from .django_start import fill_in
from .files import note_files, restore_dotenv, without_dotenv
from .generation import ATTACHMENT, Attachment, attached
from .live import following
from .putting import MOUNT
from .quiet import quieten
from .takeover import not_of_files, remember_built, share_hooks
from .unbound import mark_unbound
from .values import copied, pin

SKIP_VALIDATORS = "dynaconf_skip_validators"
LEGACY_KEYWORDS = ("validate_only", "validate_exclude", "validate_only_current_env")


def adopt(settings: Settings, attachment: Attachment) -> None:
    """Make an object that dynaconf is constructing follow its mounts from now on.

    Once construction is complete, validators included, ``reloader.constructed`` is called.
    """
    defaults = state.get(settings, "defaults")
    keywords = {str(key): copied(value) for key, value in dict.items(defaults)}
    for name, value in keywords.items():
        if name.upper() == "POST_HOOKS" and isinstance(value, list):
            # dynaconf has put those of the settings files into the same list
            keywords[name] = not_of_files(value, settings)
    if "__core__" not in vars(settings):  # up to 3.2 these are taken out of the defaults
        keywords |= {name: state.get(settings, name) for name in LEGACY_KEYWORDS}
    attachment.built = dict(dict.items(defaults))
    vars(settings)[ATTACHMENT] = attachment
    kind: Any = type(settings)
    object.__setattr__(settings, "__class__", following(kind))
    attachment.generation = replace(
        attachment.generation,
        keywords=keywords,
        anchor=_anchor_of(settings),
    )
    mark_unbound(state.get(settings, "validators"))
    follow_env_loader()
    if keywords.get(SKIP_VALIDATORS):
        attachment.under_way.completes_at_includes = True
    else:
        complete_with_validators(settings)


def _anchor_of(settings: Settings) -> Settings:
    """Separate generation 1, which dynaconf builds in the live object itself, from that object.

    Its lazy and nested values refer to a second object with the same dictionary, as those of every
    later generation refer to their candidate, so they stay behind when the live one moves on.
    """
    anchor: Settings = object.__new__(type(settings))
    object.__setattr__(anchor, "__dict__", vars(settings))
    hand_over(state.get(settings, "store"), anchor)
    return anchor


def seal(settings: Settings) -> None:
    """Pin to its generation what the construction of a first object has left lazy."""
    attachment = attached(settings)
    pin(settings, attachment.generation.anchor, attachment.generation.plan.environment)
    attachment.modules = frozenset(state.get(settings, "loaded_py_modules"))


def candidate_for(live: Settings, attachment: Attachment) -> Settings:
    """Make the object that will be the next generation of `live`; nothing is loaded yet."""
    old = attached(live)
    candidate: Settings = object.__new__(type(live))
    vars(candidate)[ATTACHMENT] = attachment
    attachment.generation = replace(
        attachment.generation,
        anchor=candidate,
        keywords=old.generation.keywords,
        wrapper=old.generation.wrapper,
        loads=old.generation.loads,
    )
    attachment.under_way.is_candidate = True
    note_files(live, attachment)
    return candidate


def load_candidate(live: Settings, candidate: Any) -> None:
    """Load what a process that starts now would load, and do what code did to `live`.

    Nothing outside the candidate changes. It is not validated yet.

    Raises:
        BaseException: whatever dynaconf, a settings file or a hook raises.
    """
    attachment = attached(candidate)
    share_hooks(live, candidate)
    keywords, dotenv = without_dotenv(attachment.generation.keywords)
    succeed(attachment, live)
    candidate.__init__(
        settings_module=_settings_module(live),
        validators=list(attachment.under_way.taken.validators),
        **{name: copied(value) for name, value in keywords.items()},
    )
    restore_dotenv(candidate, dotenv)
    share_hooks(live, candidate)


def complete_candidate(live: Settings, candidate: Settings) -> None:
    """Validate a candidate and build its children.

    Raises:
        BaseException: whatever a validator, or the loading of a child, raises.
    """
    attachment = attached(candidate)
    validate, attachment.under_way.validate = attachment.under_way.validate, None
    if validate is not None:
        validate()
    fill_in(candidate)
    # a validator's default may be lazy
    pin(candidate, candidate, attachment.generation.plan.environment)
    remember_built(candidate)
    quieten(candidate)
    renew_children(live, candidate)


def _settings_module(settings: Settings) -> Any:
    sources = state.get(settings, "loaded_by_loaders")
    # As a list: another thread may set something from a source of its own meanwhile.
    for metadata in list(sources):
        if getattr(metadata, "identifier", None) == "init_settings_module":
            return sources[metadata]["SETTINGS_FILE_FOR_DYNACONF"]
        if getattr(metadata, "loader", None) == MOUNT:
            break  # dynaconf sets it before anything is loaded, and here begin thousands
    return None
