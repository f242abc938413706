"""dynaconf's entry point: the environment without the mounts' names, then the mounts.

Name it in ``loaders=["dynaconf_k8s_reload.loader"]``, where ``dynaconf.loaders.env_loader`` was.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

from dynaconf.base import Settings
from dynaconf.loaders.base import SourceMetadata
from dynaconf.utils import missing
from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data

from . import candidate as ground
from .candidate import Attachment
from .environ import MIRROR
from .exceptions import ConfigError
from .mounts import Mount
from .options import Options
from .payload import Payload
from .plan import Plan
from .reloader import Reloader
from .reserved import is_reserved

__all__ = ["load"]

ENV_LOADER = "dynaconf.loaders.env_loader"

# No value of TOML begins with one of these, nor does a token of dynaconf: such text is itself.
PLAIN_LETTERS = frozenset(string.ascii_letters) - frozenset("tfinTF")


class Entry(NamedTuple):
    """One text on its way to becoming a setting."""

    key: str
    name: str
    content: str | bytes
    metadata: SourceMetadata
    literal: bool


def load(obj: Any, env: Any = None, silent: Any = True, key: str | None = None, **_: Any) -> None:  # noqa: ARG001, FBT002 -- because dynaconf calls it so
    """Load the environment and the mounts into a settings object of dynaconf.

    The first load of an object reads the mounts; every later one serves the generation that the
    object has, never the disk. dynaconf gives `env` and `silent`, which make no difference here.

    Args:
        obj: the settings object that is being loaded.
        env: dynaconf's current environment.
        silent: dynaconf's wish to hear of no error.
        key: load this one top-level setting and what is nested in it.

    Raises:
        ConfigError: an option is wrong, or ``env_loader`` stands beside a mirroring mount.
        MountError: a mount cannot be read at the first load, or a required one is absent.
    """
    settings = ground.unwrap(obj)
    attachment = ground.attachment_of(settings) or _first_load(settings)
    indexing = nullcontext() if attachment.published else ground.indexed(settings)
    with indexing:
        _load(settings, attachment, Paths(settings).top(key) if key else None)


def _load(settings: Settings, attachment: Attachment, wanted: str | None) -> None:
    plan = attachment.plan
    environment_last = _has_env_loader(settings)
    if not environment_last:
        _load_environment(settings, plan.beneath.items(), wanted)
    for mount in attachment.options.k8s_mounts:
        _load_mount(settings, mount, attachment, wanted)
    if environment_last:  # beside env_loader, without a mirror, the environment wins
        _load_environment(settings, plan.environment.as_dict().items(), wanted)


def _first_load(settings: Settings) -> Attachment:
    options = Options.read(ground.keywords(settings), os.environ)
    mirroring = [mount.path for mount in options.k8s_mounts if options.mirrors(mount)]
    if mirroring and _has_env_loader(settings):
        raise ConfigError(
            f"{ENV_LOADER} is in the list of loaders beside the mirroring mount {mirroring[0]}, "
            "and would bring back what a ConfigMap deletes; take it out of the list, since "
            "dynaconf_k8s_reload.loader loads the environment too, or say k8s_mirror=False"
        )
    wrapper = ground.constructing_wrapper(settings)
    reloader: Reloader = ground.reloader_of(wrapper) or Reloader(options)
    payload = Payload(reloader.reader.read_first(options))
    plan = MIRROR.plan(reloader.key, payload, options, ground.prefix(settings))
    attachment = Attachment(reloader, options, payload, plan, wrapper=wrapper)
    ground.adopt(settings, attachment)
    return attachment


def _has_env_loader(settings: Settings) -> bool:
    return ENV_LOADER in (settings.get("LOADERS_FOR_DYNACONF") or [])


class Paths:
    """Takes the names of settings apart as ``Settings.set`` does, in one case for comparing."""

    def __init__(self, settings: Settings) -> None:
        self._separator = settings.get("NESTED_SEPARATOR_FOR_DYNACONF")
        self._nested = settings.get("DOTTED_LOOKUP_FOR_DYNACONF") is True

    def of(self, key: str) -> tuple[str, ...]:
        """Give the parts of a name."""
        dotted = key.replace(self._separator, ".") if self._separator else key
        if not self._nested or ("." not in dotted and "[" not in dotted):
            return (dotted.upper(),)
        return tuple(re.split(r"[.\[]", dotted.upper()))

    def top(self, key: str) -> str:
        """Give the name of the top-level setting that a name belongs to."""
        return self.of(key)[0]


def _load_environment(
    settings: Any, variables: Iterable[tuple[str, str]], wanted: str | None
) -> None:
    listed = list(variables)
    for prefix in _prefixes(settings):
        start = f"{prefix}_" if prefix is not False else ""
        metadata = SourceMetadata("env_global", prefix, "global")
        _set_all(
            settings,
            (
                Entry(name[len(start) :], name, text, metadata, literal=False)
                for name, text in listed
                if name.startswith(start)
            ),
            wanted,
        )


def _load_mount(settings: Any, mount: Mount, attachment: Any, wanted: str | None) -> None:
    entries = list(_entries(attachment.payload, attachment.plan, mount))
    prefixes = [f"{prefix}_" if prefix is not False else "" for prefix in _prefixes(settings)]
    plain = [entry for entry in entries if not entry.name.startswith(tuple(prefixes))]
    carrying = [
        [
            entry._replace(key=entry.name[len(start) :])
            for entry in entries
            if entry.name.startswith(start)
        ]
        for start in prefixes
    ]
    if attachment.options.prefixed_only(mount):
        plain = []
    paths = Paths(settings)
    winners = {paths.of(entry.key): entry.name for group in carrying for entry in group}
    for entry in plain:
        winner = winners.get(paths.of(entry.key)) if winners else None
        if winner is not None:
            attachment.reloader.warn_once(
                f"mount {mount.path}: {winner} and {entry.name} both name the setting "
                f"{entry.key}; the prefixed one wins, delete one of them"
            )
    for group in (plain, *carrying):
        _set_all(settings, group, wanted)


def _entries(payload: Payload, plan: Plan, mount: Mount) -> Iterator[Entry]:
    for variable in payload.of_mount(mount):
        if variable.name in plan.shadowed:
            content: str | bytes = plan.shadowed[variable.name]
            metadata = SourceMetadata("env_global", variable.name, "global")
        elif variable.name not in plan.decision.claims:
            continue  # reserved
        else:
            content = variable.content
            if isinstance(content, str) and content.endswith("\n") and content.count("\n") == 1:
                content = content[:-1]  # what `kubectl create --from-file` of an edited file adds
            metadata = SourceMetadata("k8s_mount", variable.source, "global")
        literal = mount.secret and metadata.loader == "k8s_mount"
        yield Entry(variable.name, variable.name, content, metadata, literal)


def _prefixes(settings: Any) -> list[str | Any]:
    """The prefixes in the order in which ``env_loader`` applies them; ``False`` is no prefix."""
    configured = ground.prefix(settings)
    if configured is None:
        return []
    prefixes: list[Any] = []
    if configured is False or configured.upper() != "DYNACONF":
        prefixes.append("DYNACONF")
    prefixes.extend(configured.upper().split(",") if configured else [configured])
    return prefixes


def _set_all(settings: Any, entries: Iterable[Entry], wanted: str | None) -> None:
    """Set each entry as ``env_loader`` does a variable, all of them parsed before the first is set.

    See ``dynaconf.loaders.env_loader.load_from_env``.
    """
    known_only = settings.get("IGNORE_UNKNOWN_ENVVARS_FOR_DYNACONF")
    paths = Paths(settings)
    parsed = [
        (entry, _parse(settings, entry))
        for entry in entries
        if (wanted is None or wanted == paths.top(entry.key))
        and not (entry.metadata.loader == "k8s_mount" and is_reserved(entry.key))
        and not (known_only and settings.get(entry.key, default=missing) is missing)
    ]
    keep = settings.filter_strategy
    ground.put_all(
        settings,
        (
            (key, kept, entry.metadata)
            for entry, value in parsed
            for key, kept in (keep({entry.key: value}) if keep else {entry.key: value}).items()
        ),
    )


def _parse(settings: Any, entry: Entry) -> Any:
    content = entry.content
    if isinstance(content, bytes):
        return content
    if entry.literal:
        return ground.Literal(content) if content.startswith("@") else content
    if content[:1] in PLAIN_LETTERS:
        return content
    parsed = ground.attached(settings).parsed
    if content in parsed:
        return parsed[content]
    value = parse_conf_data(boolean_fix(content), tomlfy=True, box_settings=settings)
    if ground.is_scalar(value) and not content.startswith("@"):
        parsed[content] = value
    return ground.pinned(value, settings)
