"""When to look at the mounts: events are a hint, a comparison is the guarantee.

What other rooms use is imported from here; the modules are private to this one.
"""

from .greenlets import greenlets_are_being_set_up, patched_by
from .hints import Hints
from .processes import RENEWED_AFTER_FORK, notice_fork
from .timing import Timing
from .watch import Watch, Watched
from .watcher import WATCHER, Watcher

__all__ = [
    "RENEWED_AFTER_FORK",
    "WATCHER",
    "Hints",
    "Timing",
    "Watch",
    "Watched",
    "Watcher",
    "greenlets_are_being_set_up",
    "notice_fork",
    "patched_by",
]
