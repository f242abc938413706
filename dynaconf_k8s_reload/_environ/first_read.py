"""``os.environ`` in a forked child that has something done before it is read for the first time.

A child that reads variables only, never a setting, has to follow as well. Until it does so
``os.environ`` has a class that asks at each read, and then its own one again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import staging
from .process import Environ

SEARCHED_BY_EXEC = ("PATH", b"PATH")  # a child that becomes a program looks there, and pays nothing


def before_first_read(
    may_change: Callable[[str | None], bool], prepare: Callable[[], object]
) -> None:
    """Have `prepare` called before ``os.environ`` is read; do nothing else, in a forked child.

    Args:
        may_change: tells whether a variable, or any of them if it is ``None``, may be another one
            once it is done.
        prepare: whatever it reads itself is no longer a first read.
    """
    _Unread.may_change, _Unread.prepare = staticmethod(may_change), staticmethod(prepare)
    staging.rest_as(_Unread)


class _Unread(Environ):  # type: ignore[misc] # reason: its class is only known at run time
    """``os.environ`` until somebody reads what may have changed; writing it is not reading.

    There is no ``super()`` here: another thread may give ``os.environ`` its own class meanwhile.
    """

    may_change: Callable[[str | None], bool]
    prepare: Callable[[], object]

    def __getitem__(self, name: str) -> str:
        _before(name)
        text: str = Environ.__getitem__(self, name)
        return text

    def __iter__(self) -> Iterator[str]:
        _before(None)
        names: Iterator[str] = Environ.__iter__(self)
        return names

    def __len__(self) -> int:
        _before(None)
        return int(Environ.__len__(self))


def _before(name: str | None) -> None:
    if name not in SEARCHED_BY_EXEC and _Unread.may_change(name):
        staging.rest_as_usual()
        _Unread.prepare()
