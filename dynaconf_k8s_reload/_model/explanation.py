"""`Explanation`: where one setting comes from, and what becomes of its variable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a setting comes from; ``str()`` says it in a sentence, and no part of it is a value.

    Attributes:
        key: the dotted key, in upper case.
        mount: the directory that provides it; ``None`` if no mount does.
        file: the file that holds it, in a mount or elsewhere; ``None`` if there is none.
        rule: how it came to be this setting, in a sentence.
        variable: the name that the mount gives it; ``None`` if no mount does.
        mirrored: this variable is mirrored into ``os.environ``.
        why_not: why the variable is not mirrored; ``None`` if it is, or there is none.
    """

    key: str
    mount: str | None
    file: str | None
    rule: str
    variable: str | None = None
    mirrored: bool = False
    why_not: str | None = None

    def __str__(self) -> str:
        told = f"{self.key}: {self.rule}"
        if self.mirrored:
            return f"{told}; mirrored as {self.variable}"
        return f"{told}; {self.variable} is not mirrored: {self.why_not}" if self.variable else told
