"""Adopting the object that dynaconf made, and building candidates of it aside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dynaconf.base import Settings
from dynaconf.validator import ValidatorList

from . import state
from .generation import ATTACHMENT, Attachment, attached
from .live import following
from .quiet import quieten
from .takeover import (
    remember_built,
    renew_children,
    restore_dotenv,
    share_hooks,
    succeed,
    unbind,
    unbound_among,
    without_dotenv,
)
from .values import copied, pin

SKIP_VALIDATORS = "dynaconf_skip_validators"
LEGACY_KEYWORDS = ("validate_only", "validate_exclude", "validate_only_current_env")


def adopt(settings: Settings, attachment: Attachment) -> None:
    """Make an object that dynaconf is constructing follow its mounts from now on.

    Once construction is complete, validators included, ``reloader.constructed`` is called.
    """
    defaults = state.get(settings, "defaults")
    keywords = {str(key): copied(value) for key, value in dict.items(defaults)}
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
        unbound=unbound_among(state.get(settings, "validators")),
    )
    if keywords.get(SKIP_VALIDATORS):
        attachment.under_way.completes_at_includes = True
    else:
        state.get(settings, "validators").__class__ = _CompletingValidators


class _CompletingValidators(ValidatorList):  # type: ignore[misc] # reason: dynaconf is untyped
    """The validators of an object under construction, whose last step is to validate."""

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Validate, and at the last step of ``Settings.__init__`` complete the construction.

        Only that step names all its arguments; a hook that sets values with
        ``validate_on_update`` comes here earlier, and names none.
        """
        if "only_current_env" not in kwargs:
            super().validate(*args, **kwargs)
            return
        self.__class__ = ValidatorList
        settings = self.settings
        reloader = attached(settings).generation.owner
        reloader.constructed(settings, lambda: ValidatorList.validate(self, *args, **kwargs))


def _anchor_of(settings: Settings) -> Settings:
    """Separate generation 1, which dynaconf builds in the live object itself, from that object.

    Its lazy and nested values refer to a second object with the same dictionary, as those of every
    later generation refer to their candidate, so they stay behind when the live one moves on.
    """
    anchor: Settings = object.__new__(type(settings))
    object.__setattr__(anchor, "__dict__", vars(settings))
    store = state.get(settings, "store")
    if hasattr(store, "__meta__"):
        store.__meta__.core = anchor
    elif hasattr(store, "_box_config"):
        store._box_config["box_settings"] = anchor
    return anchor


def seal(settings: Settings) -> None:
    """Pin what the construction of a first object has left lazy, to its generation."""
    attachment = attached(settings)
    pin(settings, attachment.generation.anchor, attachment.generation.plan.environment)
    attachment.modules = frozenset(state.get(settings, "loaded_py_modules"))


def build(live: Settings, attachment: Attachment) -> Settings:
    """Build a candidate: what a process that starts now would load, and what code did to `live`.

    Nothing outside the candidate changes.

    Raises:
        BaseException: whatever dynaconf, a settings file, a hook or a validator raises.
    """
    old = attached(live)
    candidate: Any = object.__new__(type(live))
    vars(candidate)[ATTACHMENT] = attachment
    share_hooks(live, candidate)
    keywords, dotenv = without_dotenv(old.generation.keywords)
    attachment.generation = replace(
        attachment.generation,
        anchor=candidate,
        keywords=old.generation.keywords,
        wrapper=old.generation.wrapper,
        unbound=old.generation.unbound,
    )
    unbind(old.generation.unbound)
    succeed(attachment, live)
    candidate.__init__(
        settings_module=_settings_module(live),
        validators=list(attachment.under_way.taken.validators),
        **{name: copied(value) for name, value in keywords.items()},
    )
    restore_dotenv(candidate, dotenv)
    share_hooks(live, candidate)
    pin(
        candidate, candidate, attachment.generation.plan.environment
    )  # a validator's default may be lazy
    remember_built(candidate)
    quieten(candidate)
    renew_children(live, candidate)
    return candidate


def _settings_module(settings: Settings) -> Any:
    for metadata, loaded in state.get(settings, "loaded_by_loaders").items():
        if getattr(metadata, "identifier", None) == "init_settings_module":
            return loaded["SETTINGS_FILE_FOR_DYNACONF"]
    return None
