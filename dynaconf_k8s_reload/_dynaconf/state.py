"""Where a `Settings` of either line keeps its state, and what this package attaches to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterable
from functools import lru_cache, partial
from types import FrameType
from typing import Any

from dynaconf.base import LazySettings, Settings
from dynaconf.utils.functional import empty

try:
    from dynaconf.nodes import DataDict
except ImportError:  # up to 3.2
    DataDict = None

from .._model.errors import ConfigError
from .._model.names import Names
from .generation import attached

UP_TO_3_2 = DataDict is None
REGISTERED_HOOKS = ("_registered_hooks", "_REGISTERED_HOOKS")  # see dynaconf.hooking
WRAPPER_ATTRIBUTE = "_k8s_reloader"
CONSTRUCTOR = Settings.__init__.__code__  # also where something has wrapped it since
_CONSTRUCTING = (LazySettings.configure.__code__, LazySettings._setup.__code__)


def unwrap(settings: object) -> Settings:
    """Give the `Settings` behind a lazy wrapper, which is set up if need be.

    Raises:
        ConfigError: it is not a settings object of dynaconf.
    """
    if issubclass(type(settings), LazySettings):  # isinstance would ask the wrapped object
        if vars(settings)["_wrapped"] is empty:
            bool(settings)
        settings = vars(settings)["_wrapped"]
    if not isinstance(settings, Settings):
        raise ConfigError(
            f"{type(settings).__name__} is not a settings object of dynaconf; give what "
            "Dynaconf(...) returned, or FlaskDynaconf(...).settings"
        )
    return settings


def settings_behind(value: object) -> Settings | None:
    """Give the `Settings` that a value is or wraps, as this thread sees it; sets nothing up."""
    if issubclass(type(value), LazySettings):
        value = value._wrapped  # type: ignore[attr-defined] # reason: dynaconf is untyped
    return value if isinstance(value, Settings) else None


def constructing_wrapper(settings: Settings) -> LazySettings | None:
    """Find the lazy wrapper that is constructing these settings in this thread, if one is.

    dynaconf gives a loader only the new `Settings`; the wrapper that it is for is in the frames
    above (``LazySettings.configure``, and ``_setup`` up to 3.2).
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not CONSTRUCTOR:
        frame = frame.f_back
    while frame is not None and frame.f_locals.get("self") is settings:
        frame = frame.f_back  # the constructors of subclasses
    if frame is None or frame.f_code not in _CONSTRUCTING:
        return None
    wrapper: LazySettings = frame.f_locals["self"]
    return wrapper


def is_constructing(reference: Callable[[], Settings | None]) -> bool:
    """Tell whether this thread is within the constructor of the settings that are referred to."""
    settings, frame = reference(), sys._getframe(1)
    while settings is not None and frame is not None:
        if frame.f_code is CONSTRUCTOR and frame.f_locals.get("self") is settings:
            return True
        frame = frame.f_back  # type: ignore[assignment] # reason: the outermost has none
    return False


def reloader_of(wrapper: LazySettings | None) -> Any:
    """Give the reloader that `remember` left with a lazy wrapper, if any."""
    return None if wrapper is None else vars(wrapper).get(WRAPPER_ATTRIBUTE)


def remember(wrapper: LazySettings | None, reloader: object) -> None:
    """Leave a reloader with its lazy wrapper, for when ``configure()`` makes another object."""
    if wrapper is not None:
        vars(wrapper)[WRAPPER_ATTRIBUTE] = reloader


def get(settings: object, name: str) -> Any:
    """Read a part of dynaconf's own state, such as ``"loaded_envs"``."""
    core = vars(settings).get("__core__")
    if core is None:
        return vars(settings)["validators" if name == "validators" else f"_{name}"]
    return getattr(core if name in ("store", "validators") else core.config, name)


def put(settings: object, name: str, value: Any) -> None:
    """Write a part of dynaconf's own state."""
    core = vars(settings).get("__core__")
    if core is None:
        vars(settings)["validators" if name == "validators" else f"_{name}"] = value
    else:
        setattr(core if name in ("store", "validators") else core.config, name, value)


def clear_cache(settings: object) -> None:
    """Forget what readers were given, where dynaconf remembers it: since 3.3."""
    core = vars(settings).get("__core__")
    if core is not None:
        core.clear_cache()


def share_cache(old: object, new: object, names: Container[str]) -> None:
    """Give `new` what readers of `old` were given of some settings, where that is remembered."""
    theirs, mine = vars(old).get("__core__"), vars(new).get("__core__")
    if theirs is not None and mine is not None:
        kept = [key for key in list(theirs._cache) if str(key).upper() in names]
        mine._cache.update({key: theirs._cache[key] for key in kept})


def end_cache(settings: object) -> None:
    """Stop remembering what readers are given."""
    core = vars(settings).get("__core__")
    if core is not None:
        core.cache_enabled = False


def keywords(settings: Settings) -> dict[Any, Any]:
    """The arguments of ``Dynaconf(...)``, and what code has set since."""
    return dict(dict.items(get(settings, "defaults")))


def option(settings: Settings, name: str) -> Any:
    """Give one of dynaconf's options, straight from the dictionary.

    `get` would take several microseconds, and the store would look through all keys for an option
    that it does not know.
    """
    return dict.get(get(settings, "store"), name)


def names(settings: Settings) -> Names:
    """Give the rule by which these settings make keys of the names of variables."""
    option: Any = partial(dict.get, get(settings, "store"))
    return _names(
        option("ENVVAR_PREFIX_FOR_DYNACONF"),
        option("NESTED_SEPARATOR_FOR_DYNACONF") or "",
        option("INDEX_SEPARATOR_FOR_DYNACONF") or "",
        nested=option("DOTTED_LOOKUP_FOR_DYNACONF") is True,
    )


_names = lru_cache(Names)  # equal rules are one object, which remembers what it was asked


def reads_mounts(settings: Settings, paths: Iterable[str]) -> bool:
    """Tell whether dynaconf itself looked into a mount, before or beside this package's loader.

    It did if a settings file lies in one, or if the variable that switches environments comes
    from one with another value than the process had.
    """
    roots = tuple(f"{os.path.realpath(path)}{os.sep}" for path in paths)
    loaded = get(settings, "loaded_files")
    if any(os.path.realpath(str(name)).startswith(roots) for name in loaded):
        return True
    switcher = keywords(settings).get("ENV_SWITCHER_FOR_DYNACONF", "ENV_FOR_DYNACONF")
    name = str(switcher).upper()
    return attached(settings).generation.plan.environment.get(name) != os.environ.get(name)
