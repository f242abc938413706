"""What the mirror knows of the variables that mounts provide or provided, as values."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Known", "Record"]


class Record(NamedTuple):
    """What is known of a name that a mount provides or provided.

    Attributes:
        before: its value in the process when a mount first provided it, ``None`` if unset.
        restore: what shows again when the mounts stop providing it; ``None`` for nothing.
        owned: the mirror's value is in force; otherwise the variable is the process's own.
    """

    before: str | None
    restore: str | None
    owned: bool = False


class Known(NamedTuple):
    """What is known of names that mounts provide or provided, or what becomes of some of them.

    Attributes:
        records: by name.
        left: how the mirror leaves each variable; another value there is somebody else's write.
    """

    records: dict[str, Record]
    left: dict[str, str | None]

    def give_back(self, name: str, value: str | None) -> None:
        """Leave a variable to the process, whose value it is from now on."""
        self.records[name] = Record(value, value)
        self.left[name] = value
