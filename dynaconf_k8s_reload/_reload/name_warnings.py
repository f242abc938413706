"""Warnings of names: one line for each kind and mount, however many names there are.

A warning comes again only when its set of names has changed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from .._dynaconf import Attachment
from .._environ.rules import NotMirrored
from .._model.names import Names
from .._model.shown import escaped, few
from .._source.content import Payload
from .._source.snapshot import Snapshot
from .lines import Lines

_OF_MANY = {
    NotMirrored.NO_IDENTIFIER: "not variable names",
    NotMirrored.RESERVED: "reserved for dynaconf, so they are not settings either",
    NotMirrored.TOO_LARGE: "128 KiB or more with their names",
}


class NameWarnings:
    """Warns of what one settings object's mounts hold.

    Args:
        lines: write them.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._warned: dict[tuple[str, str], frozenset[str]] = {}

    def of_first_load(self, attachment: Attachment) -> None:
        """Warn of what only a first load can tell, and of what every look at the mounts tells."""
        self.of_mounts(attachment.generation.payload.snapshots)
        self._of_differing(attachment)
        self._of_dropped(attachment.generation.dropped)

    def of_restart(self, keys: Sequence[str]) -> None:
        """Name the changed settings that only a restart brings into effect."""
        if not keys and ("restart", "") in self._warned:
            self._lines.info("no restart is required any more")
        self._warn(
            "restart",
            {"": keys},
            "%(names)s has changed, which takes effect with a restart only",
            "%(count)s settings have changed that take effect with a restart only (%(names)s)",
        )

    def of_skipped(self, attachment: Attachment) -> None:
        """Name the variables that are not mirrored."""
        payload = attachment.generation.payload
        skipped: dict[NotMirrored, list[str]] = {}
        for name, why in attachment.generation.plan.decision.skipped.items():
            skipped.setdefault(why, []).append(name)
        known = {kind for kind, _ in self._warned}
        for why in NotMirrored:
            if why not in skipped and why.name not in known:
                continue
            self._warn(
                why.name,
                _by_mount(payload, skipped.get(why, ())),
                "%(file)s is not mirrored: %(why)s",
                "%(mount)s: %(count)s names are not mirrored: %(why_many)s (%(names)s)",
                payload,
                why=why.value,
                why_many=_OF_MANY.get(why, why.value),
            )

    def _of_dropped(self, loaders: Sequence[str]) -> None:
        """Name the application's own loaders that the variable's list leaves out."""
        self._warn(
            "dropped",
            {"": loaders},
            "LOADERS_FOR_DYNACONF takes the place of the application's own list of loaders, so "
            "%(names)s no longer runs; name it in the variable, before dynaconf_k8s_reload.loader",
            "LOADERS_FOR_DYNACONF takes the place of the application's own list of loaders, so "
            "%(names)s no longer run; name them in the variable, before dynaconf_k8s_reload.loader",
        )

    def of_mounts(self, snapshots: Iterable[Snapshot]) -> None:
        """Name the links that lead out of a mount, and the files in it that no update reaches."""
        for each in snapshots:
            path = each.mount.path
            for kind, names, said in (
                ("out of", each.outside, each.left_out),
                ("fixed in", each.fixed, each.never_changes),
            ):
                self._warn(f"{kind} {path}", {path: names}, "%(said)s", "%(said)s", said=said)

    def of_lost(self, label: str, names: Sequence[str]) -> None:
        """Name the settings that code had set after loading, in a way that cannot be done again."""
        self._warn(
            "lost",
            {label: names},
            "%(mount)s: the reload has removed %(names)s, which code had put into the settings "
            "after they were loaded; set it with settings.set() or in a post_hook",
            "%(mount)s: the reload has removed %(count)s settings that code had put there after "
            "they were loaded (%(names)s); set them with settings.set() or in a post_hook",
        )

    def of_outdated(self, label: str, names: Sequence[str]) -> None:
        """Name the settings that code has computed, and does not compute again."""
        self._warn(
            "outdated",
            {label: names},
            "%(mount)s: %(names)s still contains a value that the reload has changed: code has set "
            "it, and does not again before a restart; set a template (@format), or set it in a "
            "post_hook",
            "%(mount)s: %(count)s settings still contain values that the reload has changed, "
            "%(names)s: code has set them, and does not again before a restart; set templates "
            "(@format), or set them in a post_hook",
        )

    def of_contested(self, label: str, contested: Mapping[str, str]) -> None:
        """Name the variables that another reloader gives another value."""
        by_mount: dict[str, list[str]] = {}
        for name, source in contested.items():
            by_mount.setdefault(posixpath.dirname(source), []).append(name)
        self._warn(
            "contested",
            by_mount,
            "%(names)s is provided by %(label)s and, with another value, by %(mount)s for another "
            "Dynaconf object; the last loaded wins, so exclude it from one of the two mounts",
            "%(count)s variables are provided by %(label)s and, with other values, by %(mount)s "
            "for another Dynaconf object (%(names)s); the last loaded wins, so exclude them from "
            "one of the two mounts",
            label=label,
        )

    def _of_differing(self, attachment: Attachment) -> None:
        """Name the variables that the process had with another value at the first load."""
        payload = attachment.generation.payload
        self._warn(
            "differing",
            _by_mount(payload, attachment.generation.plan.differing),
            "%(names)s had another value in the process than in %(file)s, which is used from "
            "now on; if the process's own should win, list it in k8s_env_wins, and if the "
            "same ConfigMap is the pod's envFrom, give the mount env_from=True",
            "%(count)s variables had other values in the process than in %(mount)s, whose values "
            "are used from now on (%(names)s); if the process's own should win, list them in "
            "k8s_env_wins, and if the same ConfigMap is the pod's envFrom, give the mount "
            "env_from=True",
            payload,
        )

    def of_doubles(self, attachment: Attachment, names: Names) -> None:
        """Name the keys of one mount that name one setting."""
        self._warn(
            "doubles",
            _doubles(attachment, names),
            "mount %(mount)s: %(names)s both name one setting; the prefixed one wins, delete the "
            "other",
            "mount %(mount)s: %(count)s settings have two keys each (%(names)s); the prefixed one "
            "wins, delete the other",
        )

    def _warn(
        self,
        kind: str,
        groups: Mapping[str, Sequence[str]],
        one: str,
        many: str,
        payload: Payload | None = None,
        **words: object,
    ) -> None:
        """Warn of names, unless the last warning of this kind and mount named the very same.

        Args:
            kind: what the warning is about.
            groups: names, by the directory of the mount.
            one: the message for a single name.
            many: the message for several.
            payload: what the mounts held, for a message that shows a ``file``.
            words: more of what the messages show.
        """
        for key in [key for key in self._warned if key[0] == kind and not groups.get(key[1])]:
            del self._warned[key]
        for mount, names in groups.items():
            listed = frozenset(names)
            if not listed or self._warned.get((kind, mount)) == listed:
                continue
            self._warned[kind, mount] = listed
            message = (one if len(listed) == 1 else many) % {
                "mount": mount,
                "count": f"{len(listed):,}",
                "names": few(names),
                "file": payload and escaped(payload.variables[names[0]].source),
                **words,
            }
            self._lines.warning("%s", message)


def _by_mount(payload: Payload, names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(payload.variables[name].mount.path, []).append(name)
    return groups


def _doubles(attachment: Attachment, names: Names) -> dict[str, list[str]]:
    """Find, for each mount, the keys with and without a prefix that name the same setting."""
    generation = attachment.generation
    found: dict[str, list[str]] = {}
    for mount in generation.options.k8s_mounts:
        if generation.options.prefixed_only(mount):
            continue
        all_of_it = (each.name for each in generation.payload.of_mount(mount))
        # A reserved name is not a setting.
        here = [name for name in all_of_it if not names.is_reserved(name)]
        prefixed = {
            names.path(key): name
            for name in here
            if name.startswith(names.prefixes)
            for key in names.keys(name)
        }
        found[mount.path] = [
            f"{prefixed[path]} and {name}"
            for name in here
            if not name.startswith(names.prefixes) and (path := names.path(name)) in prefixed
        ]
    return found
