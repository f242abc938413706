"""What an exception is about: the variable, the setting, the settings file or the hook at fault.

dynaconf's messages hold values and seldom a culprit. Its frames do: the file that was parsed, the
key that was set, the hook that ran. They are read here and let go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dynaconf.base import Settings
from dynaconf.loaders import py_loader
from dynaconf.loaders.base import BaseLoader, SourceMetadata
from dynaconf.utils import parse_conf

from .._model.record import record
from .._source.content import Variable
from . import putting, variables
from .frames import RUNS_HOOK, Frame, code_of, frames_of
from .generation import attached
from .refusing import LAZY, described, refused
from .typed import validate_late

_LINE = r"\(at line (\d+)"  # the errors of TOML have no attribute for it
_END = "(at end of document)"
_TOP = r"\.|\[|__"


@record
class Blame:
    """What an exception is about.

    Attributes:
        keys: the settings at fault.
        file: the file that provides them, a key of a mount or a settings file.
        variable: the variable at fault, of the environment beneath the mounts.
        hook: the hook that raised.
        reason: what is wrong; empty where only the type and the place of the exception can tell.
        refused: a validator has refused the settings.
    """

    keys: tuple[str, ...] = ()
    file: str = ""
    variable: str = ""
    hook: str = ""
    reason: str = ""
    refused: bool = False


def culprit_of(error: BaseException) -> Blame:
    """Find what an exception is about, as far as the frames that it came through tell it."""
    settings = refused(error)
    if settings:
        is_worded = any(frame.code is _TYPED for frame in frames_of(error))
        reason = str(error) if is_worded else described(settings)
        return Blame(keys=tuple(settings), reason=reason, refused=True)
    frames = list(frames_of(error))
    found = {job: frame for frame in reversed(frames) if (job := _JOBS.get(frame.code))}
    if "hook" in found:
        hook = found["hook"].values["hook_func"]
        return Blame(hook=str(getattr(hook, "__name__", type(hook).__name__)))
    tokens = [f.values["converter_key"] for f in frames if f.code is _CONVERTER]
    reason = f"{tokens[-1]} cannot parse it" if tokens else ""
    blamed = _of_variable(found, reason)
    if blamed is not None:
        return blamed
    setting: Any = found.get("set") or found.get("put")
    key, source = _being_set(setting)
    if source.loader == "k8s_mount":
        return Blame(file=source.identifier, reason=reason)
    if source.loader == "env_global":
        # `set` has put dots in place of the separator by then.
        key = key.replace(".", setting.values.get("nested_sep") or ".")
        return Blame(variable=_variable(key, source), reason=reason)
    keys = (re.split(_TOP, key)[0] or key,) if key else ()
    file = next((_file(found[job]) for job in ("read", "load", "python") if job in found), "")
    return Blame(keys, file, reason=reason or (_in_line(error, file, frames) if file else ""))


def _of_variable(found: Mapping[str, Frame], reason: str) -> Blame | None:
    """Blame the variable whose text is parsed, or whose template fails, while variables are set."""
    if "variables" not in found:
        return None
    setting = found["variables"].values
    pairs = list(zip(setting["places"], setting["texts"], strict=True))
    if "parse" in found:
        parsed = found["parse"].values["text"]
        at_fault = [pair for pair in pairs if pair[1] is parsed]
    elif "template" in found:  # dynaconf evaluates it to set what comes after it in the same parent
        template = str(found["template"].values["self"].value)
        mounted = attached(setting["settings"]).generation.payload.variables.values()
        known = [(None, variable) for variable in mounted]
        at_fault = [pair for pair in (*pairs, *known) if template in str(pair[1].content)]
    else:
        return None
    if not at_fault:
        return None  # a settings file's template
    place, text = at_fault[0]
    if isinstance(text, Variable):
        return Blame(file=text.source, reason=reason)
    return Blame(variable=_variable(place.key, place.source), reason=reason)


def _variable(key: str, source: SourceMetadata) -> str:
    """Name a variable of the environment, as `variables` notes where it comes from."""
    if not source.identifier:
        return key
    return source.identifier if source.identifier.endswith(key) else f"{source.identifier}_{key}"


def _being_set(frame: Frame | None) -> tuple[str, SourceMetadata]:
    """Give the key that was being set, if one was, and where it comes from."""
    values: Mapping[str, Any] = {} if frame is None else frame.values
    source = values.get("loader_identifier", values.get("source"))
    if not isinstance(source, SourceMetadata):
        source = SourceMetadata("", "")
    return str(values.get("key", "")), source


def _file(frame: Frame) -> str:
    """Give the settings file that was being loaded."""
    for name in ("source_file", "file_name", "filename"):
        if name in frame.values:
            return str(frame.values[name])
    return str(frame.values["mod"].__file__)


def _in_line(error: BaseException, file: str, frames: Sequence[Frame]) -> str:
    """Say of what type an error in a settings file is, and in which line."""
    mark: Any = getattr(error, "problem_mark", None)  # YAML's
    executed = [frame.line for frame in frames if frame.code.co_filename == file]
    message = "" if executed else str(error)  # what an application raises may have none
    shown = re.search(_LINE, message)
    if executed:
        line: Any = executed[-1]
    elif mark is not None:
        line = mark.line + 1
    else:
        line = shown[1] if shown else getattr(error, "lineno", None)
    name = type(error).__name__
    if line:
        return f"{name} in line {line}"
    return f"{name} at its end" if _END in message else name


_CONVERTER = code_of(parse_conf.apply_converter)
_TYPED = code_of(validate_late)
_JOBS = {
    RUNS_HOOK: "hook",
    code_of(variables._set_all): "variables",
    code_of(variables._parse): "parse",
    code_of(putting._Target.put): "put",
    code_of(Settings.set): "set",
    LAZY: "template",
    code_of(BaseLoader.get_source_data): "read",
    code_of(BaseLoader._envless_load): "load",
    code_of(BaseLoader._load_all_envs): "load",
    code_of(py_loader.get_module): "python",
    code_of(py_loader.import_from_filename): "python",
    code_of(py_loader.load_from_python_object): "python",
}
