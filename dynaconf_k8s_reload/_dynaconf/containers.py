"""Dynaconf's own containers: what it stores for a dictionary or a list, and whose settings it asks.

Since 3.3 these are `DataDict` and `DataList`; up to 3.2 they are of a copy of the library box.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from dynaconf.base import Settings

from . import state

try:
    from dynaconf.nodes import DataList
except ImportError:  # up to 3.2
    from dynaconf.vendor.box import BoxList

    DataList = None


def hand_over(container: Any, anchor: Settings) -> None:
    """Have one of dynaconf's containers look its settings up in `anchor` from now on."""
    if hasattr(container, "__meta__"):
        container.__meta__.core = anchor
    else:
        for options in ("_box_config", "box_options"):
            held = getattr(container, options, None)
            if held is not None and "box_settings" in held:
                held["box_settings"] = anchor


def kinds(settings: Settings) -> dict[Any, Any]:
    """Give what dynaconf stores for a dictionary, since 3.3 for a list too, by the plain types."""
    box: Any = type(state.get(settings, "store"))
    found = {dict: box, list: DataList}
    return {} if box is dict else {plain: kind for plain, kind in found.items() if kind is not None}


def contained(settings: Settings, value: Any) -> Any:
    """Give what dynaconf stores for a container in which nothing is left to parse."""
    kind = kinds(settings).get(type(value))
    return value if kind is None else kind(value, box_settings=settings)


def put_up_to_3_2(box: Any, key: str, value: Any) -> None:
    """Put a value into a dictionary of dynaconf's, as ``Box.__setitem__`` does up to 3.2.

    That works out the name of an attribute letter by letter, and copies all options to do so; for
    most keys the name is the key itself.

    Args:
        box: the dictionary.
        key: where to put it.
        value: what to put there.
    """
    is_usual = key.isidentifier() and key.isascii() and not iskeyword(key)
    kind = type(value)
    if not is_usual or (isinstance(value, (dict, list)) and kind not in {list, BoxList, type(box)}):
        box[key] = value
        return
    if kind is list:
        options = box._box_config.copy()
        del options["__created"], options["__safe_keys"]  # no options, but the box's own
        value = BoxList(value, box_class=type(box), **options)
    box._box_config["__safe_keys"][key] = key
    dict.__setitem__(box, key, value)
