"""What dynaconf keeps for itself, and what it warns of, shows no value."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from dynaconf.base import Settings

if TYPE_CHECKING:
    DynaconfConfig: Any
else:
    try:
        from dynaconf.base import DynaconfConfig
    except ImportError:  # up to 3.2 there is none, and a `Settings` shows nothing of itself
        DynaconfConfig = object

# Two of its warnings show a value: about `@reset`, and about a template that the sandbox stops.
for _text in (r"(?s:.*) does not need `@reset` anymore", "Unsafe access attempt to: "):
    warnings.filterwarnings("ignore", _text, UserWarning, r"dynaconf\.utils\.parse_conf")


class _QuietConfig(DynaconfConfig):  # type: ignore[misc] # reason: dynaconf is untyped
    """dynaconf's state of one object, whose ``repr`` would be all that was ever loaded.

    Error trackers send the local variables of frames.
    """

    def __repr__(self) -> str:
        return f"<{DynaconfConfig.__name__}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle, and copy, as dynaconf's own class."""
        return object.__new__, (DynaconfConfig,), vars(self)


def quieten(settings: Settings) -> None:
    """Have a settings object's frames show nothing of what it has loaded."""
    core: Any = vars(settings).get("__core__")
    if core is not None:
        core.config.__class__ = _QuietConfig
