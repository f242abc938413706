"""The options: keywords of ``Dynaconf(...)`` or variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from dynaconf.utils.parse_conf import boolean_fix, parse_conf_data

from .errors import ConfigError, nearest, one_slip_apart
from .mount import Mount, require_encodable

DEFAULT_PROTECTED = (
    *("PATH", "HOME", "USER", "SHELL", "HOSTNAME"),
    *("LD_*", "DYLD_*", "PYTHON*", "*_FOR_DYNACONF", "KUBERNETES_*"),
)
PREFIX, SUFFIX = "k8s_", "_FOR_DYNACONF"
A_DAY = 24 * 60 * 60


class HasPrefix(Protocol):
    """Knows the prefixes that an application has chosen."""

    @property
    def own(self) -> Sequence[str]:
        """Such as ``("MYAPP_",)``."""


class Options(NamedTuple):
    """The options of one application, checked; `read` collects them."""

    k8s_mounts: tuple[Mount, ...] = ()
    k8s_watch: bool = True
    k8s_mirror: bool = True
    k8s_env_wins: tuple[str, ...] = ()
    k8s_prefixed_only: bool | None = None
    k8s_protected: tuple[str, ...] = DEFAULT_PROTECTED
    k8s_resync: float = 30.0
    k8s_debounce: float = 0.2
    k8s_restart_keys: tuple[str, ...] = ()
    k8s_restart_503: bool = False
    k8s_settle: float = 0.0
    k8s_jitter: float = 0.0
    k8s_last_good: str | None = None
    k8s_watch_files: bool = False

    @classmethod
    def read(
        cls,
        keywords: Mapping[Any, Any],
        environ: Mapping[str, str],
        default_mounts: Sequence[str] = (),
    ) -> Options:
        """Collect the options from the keywords of ``Dynaconf(...)`` and from the environment.

        The keyword wins. A variable is parsed as dynaconf parses its own.

        Args:
            keywords: the arguments of ``Dynaconf(...)``.
            environ: the environment.
            default_mounts: the mounts where neither of them names any.

        Raises:
            ConfigError: an option is mistyped or its value is not what it takes.
        """
        given: dict[str, Any] = {}
        for variable in environ:
            if variable.startswith("K8S_") and variable.endswith(SUFFIX):
                name = variable.removesuffix(SUFFIX).lower()
                if name not in _READERS:
                    raise ConfigError(
                        f"{variable} is not an option of dynaconf-k8s-reload; "
                        f"write {_meant_by(name)}"
                    )
                text = boolean_fix(environ[variable])
                given[name] = parse_conf_data(text, tomlfy=True, box_settings={})
        for keyword, value in keywords.items():
            name = str(keyword).lower().removesuffix(SUFFIX.lower())
            if name in _READERS:
                given[name] = value
            else:
                meant = [option for option in _READERS if one_slip_apart(name, option)]
                if meant:
                    raise ConfigError(
                        f"{keyword} is not an option of dynaconf-k8s-reload; write {meant[0]}, or "
                        "give a setting of your own another name"
                    )
        given.setdefault("k8s_mounts", default_mounts)
        return cls(**{name: _READERS[name](name, value) for name, value in given.items()})

    def mirrors(self, mount: Mount) -> bool:
        """Tell whether the variables of a mount are mirrored into ``os.environ``."""
        return not mount.secret and (self.k8s_mirror if mount.mirror is None else mount.mirror)

    def prefixed_only(self, mount: Mount) -> bool:
        """Tell whether only names with the application's prefix become settings."""
        only = self.k8s_prefixed_only if mount.prefixed_only is None else mount.prefixed_only
        return only is True

    def for_application(self, names: HasPrefix) -> Options:
        """Say what is left open by what the application is: whether it has a prefix of its own."""
        if self.k8s_prefixed_only is not None:
            return self
        own = [prefix for prefix in names.own if prefix != "DYNACONF_"]
        return self._replace(k8s_prefixed_only=bool(own))


def _meant_by(name: str) -> str:
    """Say which variable a mistyped one was meant to be, or, if none is like it, name all."""
    own = {option.removeprefix(PREFIX): option for option in _READERS}
    meant = nearest(name.removeprefix(PREFIX), own)
    if meant is not None:
        return f"{own[meant].upper()}{SUFFIX}"
    return f"one of {', '.join(_READERS)}, in upper case and with {SUFFIX}"


def _mounts(name: str, value: object) -> tuple[Mount, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{name} is not a list of mounts; write {name}=['/config']")
    mounts = tuple(Mount.of(item) for item in value)
    seen: set[str] = set()
    for mount in mounts:
        real = os.path.realpath(mount.path)
        if real in seen:
            raise ConfigError(f"{name} lists {mount.path} twice; write each directory once")
        seen.add(real)
    return mounts


def _patterns(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ConfigError(f"{name} is not a list of strings; write {name}=['APP_*']")


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{name} is not a boolean; write true or false")


def _flag_or_none(name: str, value: object) -> bool | None:
    return None if value is None else _flag(name, value)


def _seconds(name: str, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= A_DAY:
        return float(value)
    raise ConfigError(f"{name} is not a number of seconds, a day at most; write {name}=1.5")


def _resync(name: str, value: object) -> float:
    seconds = _seconds(name, value)
    if seconds > 0:
        return seconds
    raise ConfigError(f"{name} is 0, which would never rest; write {name}=30")


def _directory(name: str, value: object) -> str | None:
    if value is None or (isinstance(value, (str, os.PathLike)) and os.path.isabs(value)):
        directory = None if value is None else os.fspath(value)
        require_encodable(name, directory or "")
        return directory
    raise ConfigError(f"{name} is not an absolute directory; write {name}='/var/cache/app'")


_READERS: dict[str, Callable[[str, object], Any]] = {
    "k8s_mounts": _mounts,
    "k8s_watch": _flag,
    "k8s_mirror": _flag,
    "k8s_env_wins": _patterns,
    "k8s_prefixed_only": _flag_or_none,
    "k8s_protected": _patterns,
    "k8s_resync": _resync,
    "k8s_debounce": _seconds,
    "k8s_restart_keys": _patterns,
    "k8s_restart_503": _flag,
    "k8s_settle": _seconds,
    "k8s_jitter": _seconds,
    "k8s_last_good": _directory,
    "k8s_watch_files": _flag,
}

assert set(_READERS) == set(Options._fields)  # noqa: S101 -- because a reader for each field keeps `read` total
