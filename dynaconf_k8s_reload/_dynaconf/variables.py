"""Variables become settings here, by the rules of dynaconf's ``env_loader``."""

from __future__ import annotations

import json
import os
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dynaconf.base import Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import missing
from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data

from .._model.mount import Mount
from .._model.names import without_newline
from .._source.content import UNPARSED, Variable
from . import putting, state
from .generation import Attachment
from .values import Literal, is_scalar, pinned

ENV_LOADER = "dynaconf.loaders.env_loader"
LOADER = "dynaconf_k8s_reload.loader"
LOADERS = "LOADERS_FOR_DYNACONF"  # a variable of this name wins over what the application lists

# Text that begins with a letter is itself, but for what begins like the four words of TOML.
LETTERS = frozenset(string.ascii_letters)
WORDS = ("true", "True", "false", "False", "inf", "nan")

# A number that TOML and Python write alike, which is most of them.
NUMBER = r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?"

# A list that TOML and JSON write alike; Python's parser of TOML takes thirty times as long.
ITEM = rf'(?:{NUMBER}|true|false|"[^"\\\x00-\x1f\x7f]*")'
LIST = rf"\[ *(?:{ITEM}(?: *, *{ITEM})*)? *\]"  # compiled once there is one


class Place(NamedTuple):
    """Where a text goes.

    Attributes:
        key: the setting's name, without the application's prefix.
        source: where it comes from, as dynaconf tells its users.
    """

    key: str
    source: SourceMetadata


class Text:
    """The text of a variable of the environment; it has what a `Variable` of a mount has.

    Attributes:
        content: the text.
        value: what it was parsed to, nothing so far.
        mount: no mount provides it.
    """

    __slots__ = ("content", "value")
    mount = None

    def __init__(self, content: str) -> None:
        self.content = content
        self.value = UNPARSED


def load(settings: Settings, attachment: Attachment, key: str | None) -> None:
    """Load the environment without the mounts' names, then the mounts.

    Args:
        settings: the object that is being loaded.
        attachment: its attachment.
        key: the one top-level setting to load, with what is nested in it; ``None`` for all.
    """
    if not attachment.generation.loads:
        return
    names, plan = state.names(settings), attachment.generation.plan
    wanted = names.top(key) if key else None
    environment_last = has_env_loader(settings)
    if not environment_last:
        _load_environment(settings, _beneath(attachment).items(), wanted)
    for mount in attachment.generation.options.k8s_mounts:
        _load_mount(settings, mount, attachment, wanted)
    if environment_last:  # beside env_loader, without a mirror, the environment wins
        _load_environment(settings, plan.environment.as_dict().items(), wanted)


def replaced_loaders(settings: Settings) -> list[str] | None:
    """Give the application's own list of loaders, where a variable has taken its place."""
    own = state.keywords(settings).get(LOADERS)
    used = settings.get(LOADERS) or []
    if not isinstance(own, (list, tuple)) or list(own) == list(used):
        return None
    return [str(loader) for loader in own if loader not in used]


def how_to_load(call: str = "Dynaconf(") -> str:
    """Say how settings are to be loaded so that they follow mounts.

    Args:
        call: begins what the application writes.
    """
    if LOADERS in os.environ:
        return (
            f"{LOADERS} takes the place of the application's own list of loaders; unset it, or "
            f"""write {LOADERS}='["{LOADER}"]'"""
        )
    return f'write {call}loaders=["{LOADER}"], ...)'


def has_env_loader(settings: Settings) -> bool:
    """Tell whether dynaconf's own loader of the environment is in use too."""
    return ENV_LOADER in (state.option(settings, LOADERS) or [])


def _beneath(attachment: Attachment) -> Mapping[str, str]:
    """Give the variables beneath the mounts; of a published generation, as they are by now."""
    if attachment.build is not None:
        return attachment.generation.plan.beneath()
    reloader = attachment.generation.owner
    return reloader.mirror.beneath(reloader.key, attachment.generation.plan)


def _load_environment(
    settings: Any, variables: Iterable[tuple[str, str]], wanted: str | None
) -> None:
    """Set what variables of the environment say.

    Args:
        settings: the object that is being loaded.
        variables: names and texts.
        wanted: the one top-level setting to load, in upper case; ``None`` for all.
    """
    listed = list(variables)
    for start in state.names(settings).prefixes:
        source = SourceMetadata("env_global", start[:-1] if start else False, "global")
        chosen = [(name[len(start) :], text) for name, text in listed if name.startswith(start)]
        places = [Place(key, source) for key, _ in chosen]
        _set_all(settings, places, [Text(text) for _, text in chosen], wanted)


def _load_mount(settings: Any, mount: Mount, attachment: Attachment, wanted: str | None) -> None:
    """Set what one mount says, the names that carry a prefix of the application last."""
    claims, shadowed = (
        attachment.generation.plan.decision.claims,
        attachment.generation.plan.decision.shadowed,
    )
    names = state.names(settings)
    variables = [
        variable
        for variable in attachment.generation.payload.of_mount(mount)
        if variable.name in claims or variable.name in shadowed
    ]
    if wanted is not None:
        variables = [
            variable
            for variable in variables
            if any(names.top(key) == wanted for key in (variable.name, *names.keys(variable.name)))
        ]
    prefixed = [variable for variable in variables if variable.name.startswith(names.prefixes)]
    carrying = [
        (start, [variable for variable in prefixed if variable.name.startswith(start)])
        for start in names.prefixes
    ]
    plain: list[Variable] = []
    if not attachment.generation.options.prefixed_only(mount) and len(prefixed) < len(variables):
        plain = [variable for variable in variables if not variable.name.startswith(names.prefixes)]
    for start, group in (("", plain), *carrying):
        _set_all(settings, *_placed(group, start, shadowed), wanted)


def _placed(
    variables: Iterable[Variable], start: str, shadowed: Mapping[str, str]
) -> tuple[list[Place], list[Text | Variable]]:
    """Find where variables go; the process's own text takes the place of a shadowed one's."""
    places: list[Place] = []
    texts: list[Text | Variable] = []
    for variable in variables:
        place = variable.places.get(start)
        if variable.name in shadowed:
            source = SourceMetadata("env_global", variable.name, "global")
            places.append(Place(variable.name[len(start) :], source))
            texts.append(Text(shadowed[variable.name]))
        else:
            if place is None:
                source = SourceMetadata("k8s_mount", variable.source, "global")
                place = variable.places[start] = Place(variable.name[len(start) :], source)
            places.append(place)
            texts.append(variable)
    return places, texts


def _set_all(
    settings: Any, places: Sequence[Place], texts: Sequence[Text | Variable], wanted: str | None
) -> None:
    """Set each text as ``env_loader`` does a variable, all of them parsed before the first is set.

    See ``dynaconf.loaders.env_loader.load_from_env``.
    """
    if not places:
        return
    known_only = wanted is None and state.option(settings, "IGNORE_UNKNOWN_ENVVARS_FOR_DYNACONF")
    top = state.names(settings).top
    placed = [
        (place, _parse(settings, text) if text.value is UNPARSED else text.value)
        for place, text in zip(places, texts, strict=True)
        if (wanted is None or wanted == top(place.key))
        and not (known_only and settings.get(place.key, default=missing) is missing)
    ]
    keep = settings.filter_strategy
    if keep:
        kept = [(place.source, keep({place.key: value})) for place, value in placed]
        entries = ((key, value, source) for source, each in kept for key, value in each.items())
    else:
        entries = ((place.key, value, place.source) for place, value in placed)
    putting.put_all(settings, entries)


def _parse(settings: Any, text: Text | Variable) -> Any:
    content = bare = text.content
    literal = text.mount is not None and text.mount.secret
    if isinstance(content, str) and text.mount is not None:
        bare = without_newline(content)
    if isinstance(bare, bytes) or (literal and not bare.startswith("@")):
        value: Any = bare
    elif literal:
        value = Literal(bare)
    elif bare[:1] in LETTERS and not bare.startswith(WORDS):
        value = bare
    elif number := re.fullmatch(NUMBER, bare):
        value = float(bare) if number[1] else int(bare)
    elif bare.startswith("[") and re.fullmatch(LIST, bare):
        return json.loads(bare)
    else:
        value = parse_conf_data(boolean_fix(content), tomlfy=True, box_settings=settings)
        if value == content != bare:  # without its newline, it may look like a token: it is none
            value = Literal(bare) if bare.startswith("@") else bare
        elif bare.startswith("@") or not is_scalar(value):
            return pinned(value, settings)
    text.value = value
    return value
