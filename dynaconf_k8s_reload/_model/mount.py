"""`Mount`: one directory to read, and how."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .errors import ConfigError, nearest


@dataclass(frozen=True, init=False)
class Mount:
    """A directory whose file names are keys and whose files' contents are values.

    Attributes:
        path: absolute path of the directory.
        prefix: put before each file name, like ``envFrom``'s ``prefix``.
        mirror: mirror into ``os.environ``; ``None`` follows ``k8s_mirror``.
        secret: never mirrored, taken literally, and never printed by a tool.
        required: an absent directory is an error at the first load.
        prefixed_only: only names with the application's prefix become settings; ``None`` follows
            ``k8s_prefixed_only``.
        env_from: the same ConfigMap is also the pod's ``envFrom``, so a key that goes is unset and
            never given back; ``False`` says that it is not, so a variable always gets back what
            the process had; ``None`` takes a value for the ConfigMap's if it equals the mount's
            first one.
        include: shell-style patterns of the keys to read.
        exclude: shell-style patterns of the keys to leave out.

    Raises:
        ConfigError: a field is of the wrong type, or the path is not absolute.
    """

    path: str
    prefix: str
    mirror: bool | None
    secret: bool
    required: bool
    prefixed_only: bool | None
    env_from: bool | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]

    # By hand, since it takes a path and lists where a dataclass would only take what it keeps.
    def __init__(  # noqa: PLR0913, PLR0917 -- because each is a field, in the published order
        self,
        path: str | os.PathLike[str],
        prefix: str = "",
        mirror: bool | None = None,  # noqa: FBT001 -- because the published signature has it so
        secret: bool = False,  # noqa: FBT001, FBT002 -- because of the same
        required: bool = False,  # noqa: FBT001, FBT002 -- because of the same
        prefixed_only: bool | None = None,  # noqa: FBT001 -- because of the same
        env_from: bool | None = None,  # noqa: FBT001 -- because of the same
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> None:
        fields = locals()
        for name in self.__dataclass_fields__:
            object.__setattr__(self, name, fields[name])
        self._check()

    def _check(self) -> None:
        if not isinstance(self.path, (str, os.PathLike)):
            raise ConfigError(
                f"a mount's path is a string, not {type(self.path).__name__}; write '/config'"
            )
        if not os.path.isabs(self.path):
            raise ConfigError(
                f"the mount path {os.fspath(self.path)!r} is not absolute; write the volume's "
                "mountPath, such as '/config'"
            )
        object.__setattr__(self, "path", os.path.normpath(os.fspath(self.path)))
        if not isinstance(self.prefix, str):
            raise ConfigError(f"the prefix of mount {self.path} is not a string; write 'APP_'")
        require_encodable(f"the mount path {self.path}", self.path)
        require_encodable(f"the prefix of mount {self.path}", self.prefix)
        for name in ("mirror", "secret", "required", "prefixed_only", "env_from"):
            allowed = (bool,) if name in ("secret", "required") else (bool, type(None))
            if not isinstance(getattr(self, name), allowed):
                raise ConfigError(
                    f"{name} of mount {self.path} is not a boolean; write true or false"
                )
        for name in ("include", "exclude"):
            patterns = getattr(self, name)
            if not isinstance(patterns, (list, tuple)) or not all(
                isinstance(pattern, str) for pattern in patterns
            ):
                raise ConfigError(
                    f"{name} of mount {self.path} is not a list of strings; write {name}=['APP_*']"
                )
            object.__setattr__(self, name, tuple(patterns))

    @classmethod
    def of(cls, value: object) -> Mount:
        """Make a mount of a path, of a table with the fields of this class, or of a `Mount`.

        Raises:
            ConfigError: the value is none of these, or a field is unknown.
        """
        if isinstance(value, Mount):
            return value
        if isinstance(value, Mapping):
            fields = {str(name).lower(): value[name] for name in value}
            for name in fields:
                if name not in cls.__dataclass_fields__:
                    known = cls.__dataclass_fields__
                    meant = nearest(name, known) or f"one of {', '.join(known)}"
                    raise ConfigError(f"a mount has no field {name!r}; write {meant}")
            if "path" not in fields:
                raise ConfigError("a mount has no path; write {path = '/config'}")
            return cls(**fields)
        if isinstance(value, (str, os.PathLike)):
            return cls(os.fspath(value))
        raise ConfigError(
            f"a mount is a path, a table or a Mount, not {type(value).__name__}; write '/config'"
        )

    def takes(self, key: str, *, whole: bool = False) -> bool:
        """Tell whether `exclude` and, unless the mount is taken whole, `include` let a key in."""
        if not whole and self.include != ("*",) and not _matches(key, self.include):
            return False
        return not (self.exclude and _matches(key, self.exclude))


def require_encodable(what: str, text: str) -> None:
    """Raise if the locale gives a text no bytes, which each file and each variable has.

    Raises:
        ConfigError: it has letters that the locale does not know.
    """
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ConfigError(
            f"{what} has letters that the locale cannot encode; set PYTHONUTF8=1"
        ) from None


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)
