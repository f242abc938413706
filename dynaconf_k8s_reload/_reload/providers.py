"""`Providers`: which variable of the mounts provides a setting, and why none does."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from .._dynaconf import Generation
from .._model.names import Names
from .._model.options import Options
from .._model.shown import escaped, few
from .._source.content import Payload, Variable


class Providers:
    """Finds what provides the settings of one application.

    Args:
        names: how the application makes settings of names.
        options: its options; they say where a name needs its prefix.
        payloads: what the mounts hold; the first that has a variable counts.
        shadowed: the names of which the process's own value counts (``k8s_env_wins``).
    """

    def __init__(
        self,
        names: Names,
        options: Options,
        payloads: Sequence[Payload],
        shadowed: Container[str] = (),
    ) -> None:
        self.names = names
        self.payloads = payloads
        self._options = options
        self._shadowed = shadowed

    @classmethod
    def of_generation(
        cls, generation: Generation, names: Names, newer: Payload | None = None
    ) -> Providers:
        """Find them in a generation, and before that in a newer payload, if there is one."""
        payloads = [generation.payload] if newer is None else [newer, generation.payload]
        return cls(names, generation.options, payloads, generation.plan.decision.shadowed)

    def of(self, key: str) -> Variable | None:
        """Find the variable that provides a setting, what holds it, or what it holds."""
        found = (self._in(payload, key) for payload in self.payloads)
        return next((variable for variable in found if variable is not None), None)

    def keys_of(self, name: str) -> list[str]:
        """Give the keys that a variable sets; none where only names with a prefix do."""
        held = (payload.variables[name] for payload in self.payloads if name in payload.variables)
        variable = next(held, None)
        only = variable is not None and self._options.prefixed_only(variable.mount)
        return self.names.keys(name, prefixed_only=only)

    def loaded(self, path: tuple[str, ...], payload: Payload) -> list[tuple[Variable, str]]:
        """Give all that provide a setting, what holds it, or what it holds; the last one wins.

        They come in the order in which they are loaded, each with the prefix that it loses.
        """
        return [
            (variable, start)
            for snapshot in payload.snapshots
            for variable, start in self._placed(payload.of_mount(snapshot.mount))
            if overlap(self.names.path(variable.name[len(start) :]), path)
        ]

    def named(self, key: str) -> str:
        """Name a setting with the variable that provides it, if one does, and where that is."""
        variable = self.of(key)
        if variable is None:
            return escaped(key)
        name = "" if variable.name == key else f" ({variable.name})"
        where = "the environment" if variable.name in self._shadowed else variable.mount.path
        return f"{escaped(key + name)} of {where}"

    def mount_of(self, keys: Iterable[str]) -> str | None:
        """Give the first mount that provides one of these settings."""
        found = (variable for variable in map(self.of, keys) if variable is not None)
        return next((each.mount.path for each in found if each.name not in self._shadowed), None)

    def wanting(self, keys: Sequence[str]) -> str:
        """Say why no mount provides these settings now: ``, and /config is absent``.

        It is empty where one does, or where it is not known. Without keys, only an absent mount is
        named.
        """
        payload = self.payloads[0]
        missing = [key for key in keys if self._in(payload, key) is None]
        if keys and not missing:
            return ""
        absent = [each.mount.path for each in payload.snapshots if not each.present]
        if absent:
            return f", and {few(absent)} is absent"
        if missing and not payload.snapshots:
            return ", and no mount is followed"
        bare = [each for key in missing for each in self._without_prefix(key)]
        if not bare:
            return ""
        listed = few([f"{each.name} of {each.mount.path}" for each in bare])
        prefixes = " or ".join(self.names.own or self.names.prefixes)
        return f", and {listed} does not begin with {prefixes}"

    def _in(self, payload: Payload, key: str) -> Variable | None:
        found = self.loaded(self.names.path(key), payload)
        return found[-1][0] if found else None

    def _placed(self, variables: Sequence[Variable]) -> Iterator[tuple[Variable, str]]:
        """Give what one mount sets, as `_dynaconf.load` does: names with a prefix come last."""
        for variable in variables:
            is_plain = not variable.name.startswith(self.names.prefixes)
            if is_plain and not self._options.prefixed_only(variable.mount):
                yield variable, ""
        for start in self.names.prefixes:
            for variable in variables:
                if variable.name.startswith(start):
                    yield variable, start

    def _without_prefix(self, key: str) -> list[Variable]:
        """Find the variables that lack the prefix, or have it in another case."""
        wanted = {self.names.path(start + key) for start in ("", *self.names.own)}
        return [
            variable
            for variable in self.payloads[0].variables.values()
            if self.names.path(variable.name) in wanted
            and not self.names.keys(variable.name, prefixed_only=True)
        ]


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether two paths are the same, or one lies within the other."""
    return one[: len(other)] == other[: len(one)]
