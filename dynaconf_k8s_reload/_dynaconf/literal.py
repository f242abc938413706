"""Text that dynaconf must not parse, however often it merges what holds it."""

from __future__ import annotations


class Literal(str):
    """A secret that starts like one of dynaconf's tokens, and is not one.

    dynaconf looks for tokens at each merge anew, up to 3.2 by ``startswith``, since then by
    ``partition`` (``dynaconf.utils.parse_conf``), so only a string that answers otherwise stays as
    it is. Once loading is done, the plain string takes its place.
    """

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        """Start with nothing."""
        return False

    def partition(self, _: str) -> tuple[str, str, str]:
        """Find nothing to part at, and nothing before it."""
        return ("", "", str(self))
