"""The settings objects of other environments, ``from_env()``, which follow their parent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dynaconf.base import Settings

from .._model.record import replace
from . import state
from .files import restore_dotenv, without_dotenv
from .generation import ATTACHMENT, NOTHING, Attachment, Build, attached
from .state import unwrap
from .takeover import carried_from, remember_built, replay_code
from .values import pin


def child_of(
    parent: Attachment, kind: type[Settings], predecessor: Settings | None
) -> Callable[..., Settings]:
    """Give the constructor of a child of one generation.

    Args:
        parent: the attachment of the object that ``from_env`` is called on.
        kind: the class of the child.
        predecessor: the child of the generation before, whose state it takes over.
    """

    def construct(settings_module: Any = None, **keywords: Any) -> Settings:
        child: Any = object.__new__(kind)
        attachment = vars(child)[ATTACHMENT] = Attachment(
            replace(parent.generation, anchor=child, keywords=NOTHING, wrapper=None),
            None if parent.build is None else Build(),
        )
        keywords, dotenv = without_dotenv(keywords)
        if predecessor is not None:
            succeed(attachment, predecessor)
        child.__init__(settings_module=settings_module, **keywords)
        restore_dotenv(child, dotenv)
        if predecessor is not None:
            _validate_late(child, attachment.under_way.taken.validators)
        pin(child, child, parent.generation.plan.environment)
        remember_built(child)
        return child

    return construct


def _validate_late(child: Settings, validators: Iterable[Any]) -> None:
    """Give a child its validators of before; run those that code has registered with it."""
    held = state.get(child, "validators")
    late = [each for each in validators if not any(each is other for other in held)]
    held[:] = validators
    for validator in late:
        validator.validate(child)


def succeed(attachment: Attachment, predecessor: Settings) -> None:
    """Have an object that is about to be constructed take over the state of its predecessor."""
    build = attachment.under_way
    build.carried = build.taken = carried_from(predecessor)
    attachment.code, attachment.assembly = build.taken.code, build.taken.assembly
    build.predecessors = {
        key: unwrap(state.get(predecessor, "env_cache")[key])
        for key in list(attached(predecessor).children)
    }


def renew_children(old: Settings, new: Settings) -> None:
    """Build the children of `old`, and theirs, for the candidate `new`, unless it has them."""
    attachment = attached(new)
    for key, (env, keep, arguments) in list(attached(old).children.items()):
        predecessor = unwrap(state.get(old, "env_cache")[key])
        if key not in attachment.children:
            attachment.under_way.predecessors[key] = predecessor
            new.from_env(env, keep, **arguments)
        renew_children(predecessor, unwrap(state.get(new, "env_cache")[key]))


def replay(live: Settings, candidate: Settings) -> None:
    """Build the children that are new, and replay what code has set meanwhile, in them too."""
    renew_children(live, candidate)
    replay_code(live, candidate)
