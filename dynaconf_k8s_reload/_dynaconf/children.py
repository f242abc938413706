"""The settings objects of other environments, ``from_env()``, which follow their parent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dynaconf.base import Settings

from . import state
from .state import ATTACHMENT, Attachment, Carried, attached, unwrap
from .takeover import carried_from, is_current, remember_built, replay
from .values import pin

DOTENV = "load_dotenv"


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
            parent.reloader, parent.options, parent.payload, parent.plan, published=parent.published
        )
        attachment.anchor = child
        keywords, dotenv = without_dotenv(keywords)
        if predecessor is not None:
            succeed(attachment, predecessor)
        child.__init__(settings_module=settings_module, **keywords)
        restore_dotenv(child, dotenv)
        pin(child, child, parent.plan.environment)
        remember_built(child, attachment.taken.modules)
        return child

    return construct


def succeed(attachment: Attachment, predecessor: Settings) -> None:
    """Have an object that is about to be constructed take over the state of its predecessor."""
    attachment.carried = attachment.taken = carried_from(predecessor)
    attachment.code = attachment.taken.code
    attachment.predecessors = {
        key: unwrap(state.get(predecessor, "env_cache")[key])
        for key in list(attached(predecessor).children)
    }


def renew_children(old: Settings, new: Settings) -> None:
    """Build the children of `old`, and theirs, for the candidate `new`."""
    for key, child in attached(new).predecessors.items():
        env, keep, arguments = attached(old).children[key]
        renew_children(child, unwrap(new.from_env(env, keep, **arguments)))


def all_current(live: Settings, candidate: Settings) -> bool:
    """Tell whether a candidate, with a child for each of `live`'s, needs nothing more built."""
    return is_current(live, candidate) and all(
        key in attached(candidate).children and all_current(*_pair(live, candidate, key))
        for key in attached(live).children
    )


def replay_all(live: Settings, candidate: Settings) -> None:
    """Replay what code has set meanwhile, in the children too."""
    replay(live, candidate)
    for key in attached(live).children:
        replay_all(*_pair(live, candidate, key))


def hand_over(live: Settings, candidate: Settings) -> None:
    """Hand the candidate's state to the live object, in one assignment, children first."""
    cache = state.get(candidate, "env_cache")
    for key in attached(live).children:
        hand_over(*_pair(live, candidate, key))
        cache[key] = state.get(live, "env_cache")[key]
    for child in cache.values():  # also those that only validators asked for
        attached(unwrap(child)).published = True
    attached(candidate).published = True
    remember_built(candidate, attached(candidate).taken.modules)
    attached(candidate).predecessors = {}
    attached(candidate).taken = Carried()  # or each generation would keep the one before
    old_core, core = vars(live).get("__core__"), vars(candidate).get("__core__")
    if core is not None:  # since 3.3 values are cached; a reader may be between the two
        core.clear_cache()
        old_core.cache_enabled = False
    object.__setattr__(live, "__dict__", vars(candidate))


def without_dotenv(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Keep dynaconf from writing a ``.env`` file into the environment once more.

    Its variables have been in the process's environment since the first load.
    """
    names = tuple(name for name in keywords if name.lower() == DOTENV and keywords[name] is True)
    return {**keywords, **dict.fromkeys(names, False)}, names


def restore_dotenv(settings: Settings, names: Iterable[str]) -> None:
    """Show the option again as the application gave it."""
    for name in names:
        state.get(settings, "defaults")[name] = True
        settings.set(name, value=True, loader_identifier="init_kwargs", validate=False)


def _pair(live: Settings, candidate: Settings, key: str) -> tuple[Settings, Settings]:
    return tuple(unwrap(state.get(side, "env_cache")[key]) for side in (live, candidate))
