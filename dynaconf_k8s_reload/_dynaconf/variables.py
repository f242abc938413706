"""Variables become settings here, by the rules of dynaconf's ``env_loader``."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, NamedTuple

from dynaconf.base import Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import missing
from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data

from .. import _dynaconf
from .._model.paths import Paths
from .._model.reserved import is_reserved
from .._source.content import UNPARSED, Variable
from .._source.mounts import Mount
from . import Attachment

__all__ = ["load_environment", "load_mount"]

# No value of TOML begins with one of these, nor does a token of dynaconf: such text is itself.
PLAIN_LETTERS = frozenset(string.ascii_letters) - frozenset("tfinTF")

# A number that TOML and Python write alike, which is most of them.
NUMBER = r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?"


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


def load_environment(
    settings: Any, variables: Iterable[tuple[str, str]], wanted: str | None
) -> None:
    """Set what variables of the environment say.

    Args:
        settings: the object that is being loaded.
        variables: names and texts.
        wanted: the one top-level setting to load, in upper case; ``None`` for all.
    """
    listed = list(variables)
    for prefix in _prefixes(settings):
        start = _start(prefix)
        source = SourceMetadata("env_global", prefix, "global")
        chosen = [(name[len(start) :], text) for name, text in listed if name.startswith(start)]
        places = [Place(key, source) for key, _ in chosen]
        _set_all(settings, places, [Text(text) for _, text in chosen], wanted)


def load_mount(settings: Any, mount: Mount, attachment: Attachment, wanted: str | None) -> None:
    """Set what one mount says, the names that carry a prefix of the application last."""
    claims, shadowed = attachment.plan.decision.claims, attachment.plan.shadowed
    starts = tuple(map(_start, _prefixes(settings)))
    variables = [
        variable
        for variable in attachment.payload.of_mount(mount)
        if variable.name in claims or variable.name in shadowed
    ]
    if wanted is not None:
        variables = _only(wanted, variables, starts, Paths.of_settings(settings))
    prefixed = [variable for variable in variables if variable.name.startswith(starts)]
    carrying = [
        (start, [variable for variable in prefixed if variable.name.startswith(start)])
        for start in starts
    ]
    plain: list[Variable] = []
    if not attachment.options.prefixed_only(mount) and len(prefixed) < len(variables):
        plain = [variable for variable in variables if not variable.name.startswith(starts)]
        _warn_of_doubles(settings, plain, carrying, attachment)
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


def _only(
    wanted: str, variables: Iterable[Variable], starts: Iterable[str], paths: Paths
) -> list[Variable]:
    """Keep the variables that one top-level setting may come from."""
    return [
        variable
        for variable in variables
        if any(
            variable.name.startswith(start) and paths.top(variable.name[len(start) :]) == wanted
            for start in ("", *starts)
        )
    ]


def _warn_of_doubles(
    settings: Settings,
    plain: Iterable[Variable],
    carrying: Iterable[tuple[str, Sequence[Variable]]],
    attachment: Attachment,
) -> None:
    paths = Paths.of_settings(settings)
    prefixed = {
        paths.of(variable.name[len(start) :]): variable
        for start, group in carrying
        for variable in group
    }
    for variable in plain:
        winner = prefixed.get(paths.of(variable.name))
        if winner is not None:
            attachment.reloader.warn_once(
                f"mount {winner.mount.path}: {winner.name} and {variable.name} both name the "
                f"setting {variable.name}; the prefixed one wins, delete one of them"
            )


def _prefixes(settings: Any) -> list[str | Any]:
    """The prefixes in the order in which ``env_loader`` applies them; ``False`` is no prefix."""
    configured = _dynaconf.prefix(settings)
    if configured is None:
        return []
    prefixes: list[Any] = []
    if configured is False or configured.upper() != "DYNACONF":
        prefixes.append("DYNACONF")
    prefixes.extend(configured.upper().split(",") if configured else [configured])
    return prefixes


def _start(prefix: str | Any) -> str:
    return "" if prefix is False else f"{prefix}_"


def _set_all(
    settings: Any, places: Sequence[Place], texts: Sequence[Text | Variable], wanted: str | None
) -> None:
    """Set each text as ``env_loader`` does a variable, all of them parsed before the first is set.

    See ``dynaconf.loaders.env_loader.load_from_env``.
    """
    if not places:
        return
    known_only = wanted is None and settings.get("IGNORE_UNKNOWN_ENVVARS_FOR_DYNACONF")
    paths = Paths.of_settings(settings)
    chosen = [
        (wanted is None or wanted == paths.top(place.key))
        and not (text.mount is not None and _is_reserved(place.key, paths))
        and not (known_only and settings.get(place.key, default=missing) is missing)
        for place, text in zip(places, texts, strict=True)
    ]
    values = [
        _parse(settings, text) if text.value is UNPARSED else text.value
        for text in compress(texts, chosen)
    ]
    placed = zip(compress(places, chosen), values, strict=True)
    keep = settings.filter_strategy
    if keep:
        kept = [(place.source, keep({place.key: value})) for place, value in placed]
        entries = ((key, value, source) for source, each in kept for key, value in each.items())
    else:
        entries = ((place.key, value, place.source) for place, value in placed)
    _dynaconf.put_all(settings, entries)


@lru_cache(maxsize=16 * 1024)  # names only, and hardly a ConfigMap has more of them
def _is_reserved(key: str, paths: Paths) -> bool:
    """Tell whether a mount may not provide this, by whatever separators the application has."""
    return is_reserved(key) or is_reserved(paths.top(key))


def _parse(settings: Any, text: Text | Variable) -> Any:
    content = text.content
    literal = text.mount is not None and text.mount.secret
    if isinstance(content, str) and text.mount is not None and _ends_in_one_newline(content):
        content = content[:-1]  # what `kubectl create --from-file` of an edited file adds
    if isinstance(content, bytes) or (literal and not content.startswith("@")):
        value: Any = content
    elif literal:
        value = _dynaconf.Literal(content)
    elif content[:1] in PLAIN_LETTERS:
        value = content
    elif number := re.fullmatch(NUMBER, content):
        value = float(content) if number[1] else int(content)
    else:
        value = parse_conf_data(boolean_fix(content), tomlfy=True, box_settings=settings)
        if content.startswith("@") or not _dynaconf.is_scalar(value):
            return _dynaconf.pinned(value, settings)
    text.value = value
    return value


def _ends_in_one_newline(content: str) -> bool:
    return content.endswith("\n") and content.count("\n") == 1
