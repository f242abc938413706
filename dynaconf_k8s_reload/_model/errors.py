"""The errors of this package. None of them ever shows a value: a value may be a secret."""

from __future__ import annotations

import traceback
from collections.abc import Iterable


class K8sReloadError(Exception):
    """The root of every error that this package raises."""


class ConfigError(K8sReloadError):
    """An option, a mount or the list of loaders is wrong; the message says what to write."""


class MountError(K8sReloadError):
    """A mount could not be read; the message names the mount, the key and the remedy.

    Attributes:
        keys: the keys at fault; empty where it is the mount as a whole.
        mount: the mount's directory, ``None`` where no single one is at fault.
        reason: what is wrong, and the remedy.
    """

    def __init__(
        self, reason: str = "", *, mount: str | None = None, keys: Iterable[str] = ()
    ) -> None:
        super().__init__(reason if mount is None else f"mount {mount}: {reason}")
        self.keys: tuple[str, ...] = tuple(keys)
        self.mount = mount
        self.reason = reason


class ReloadRejected(K8sReloadError):
    """Content was refused as a whole; of an update, the last good generation keeps serving.

    Its text names what is at fault first, and what else has changed after it, if at all.

    Raise it yourself in an ``on_validate`` check to have your own words shown: of any other
    exception only the type and the place are, because its message may hold a value.

    Attributes:
        keys: the variables, settings or settings files at fault, as far as is known: the variable
            that cannot be parsed, the setting that a validator refuses.
        mount: the directory of the mount that provides them, ``None`` where that is not known.
        reason: why it was refused.
    """

    def __init__(
        self,
        text: str = "",
        *,
        keys: Iterable[str] = (),
        mount: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(text)
        self.keys: tuple[str, ...] = tuple(keys)
        self.mount = mount
        self.reason: str = text if reason is None else reason


class RedactedCause(K8sReloadError):
    """Stands for an exception whose message may hold a value: its type and place, nothing else."""

    @classmethod
    def of(cls, error: BaseException) -> RedactedCause:
        """Describe `error` by its type and by the line that raised it."""
        frames = traceback.extract_tb(error.__traceback__)
        place = (
            f" at {frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
        )
        return cls(f"{type(error).__name__}{place}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that `name` was most likely meant to be, or None if none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 -- because only a mistake needs it

    close = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return close[0] if close else None


def one_slip_apart(name: str, known: str) -> bool:
    """Tell whether one letter missing, too many, wrong or swapped makes the difference."""
    if abs(len(name) - len(known)) > 1 or name == known:
        return False
    start = 0
    while start < min(len(name), len(known)) and name[start] == known[start]:
        start += 1
    rest, other = name[start:], known[start:]
    return (
        rest[1:] == other
        or rest == other[1:]
        or rest[1:] == other[1:]
        or (rest[:2] == other[1::-1] and rest[2:] == other[2:])
    )
