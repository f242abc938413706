"""The frames that an exception came through: what ran, with which local variables."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from itertools import dropwhile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import dynaconf
from dynaconf import loaders

from .._model.record import record

_DYNACONFS = Path(str(dynaconf.__file__)).parent
_OURS = tuple(f"{directory}/" for directory in (_DYNACONFS, Path(__file__).parents[1]))
RUNS_HOOK = inspect.unwrap(loaders._run_hook_function).__code__
_PYTHONS = (f"{Path(inspect.__file__).parent}/", "<frozen ")
_PACKAGES = ("/site-packages/", "/dist-packages/")


@record
class Frame:
    """One call that an exception came through.

    Attributes:
        code: what ran.
        values: its local variables.
        line: where it was.
    """

    code: CodeType
    values: Mapping[str, Any]
    line: int


def frames_of(error: BaseException | None) -> Iterator[Frame]:
    """Give the frames from the outermost to the one that raised, then those of what it wraps."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            yield Frame(trace.tb_frame.f_code, trace.tb_frame.f_locals, trace.tb_lineno)
            trace = trace.tb_next
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def raised_in(error: BaseException) -> Frame:
    """Give the frame that raised an exception, which has been caught."""
    (*_, innermost) = traceback.walk_tb(error.__traceback__)
    frame, line = innermost
    return Frame(frame.f_code, frame.f_locals, line)


def is_the_applications(frame: Frame) -> bool:
    """Tell an application's code, and the packages that it uses, from dynaconf's and Python's."""
    file = frame.code.co_filename
    is_pythons = file.startswith(_PYTHONS) and not _is_in_a_package(frame)
    return not (is_pythons or file.startswith(_OURS))


def _is_in_a_package(frame: Frame) -> bool:
    return any(part in frame.code.co_filename for part in _PACKAGES)


def place_of(frame: FrameType | None) -> str:
    """Give where a running thread is in the application's code; empty if it is in ours instead."""
    while frame is not None and not frame.f_code.co_filename.startswith(_OURS[1]):
        code, line = frame.f_code, frame.f_lineno
        if is_the_applications(Frame(code, {}, line)):
            return f"{code.co_filename}:{line} in {code.co_name}"
        frame = frame.f_back
    return ""


def code_of(function: Callable[..., Any]) -> CodeType:
    """Give the code of a function, or of the one behind its decorators."""
    code: CodeType = inspect.unwrap(function).__code__
    return code


def told(error: BaseException) -> str:
    """Give the type of an exception and, if the application's code is in it, the place there.

    It is in a package only if none of the application's own files called the package.
    """
    frames = [frame for frame in frames_of(error) if is_the_applications(frame)]
    if not frames:
        return type(error).__name__
    own = [frame for frame in frames if not _is_in_a_package(frame)]
    at = (own or frames)[-1]
    return f"{type(error).__name__} at {at.code.co_filename}:{at.line} in {at.code.co_name}"


def missing_import(error: ModuleNotFoundError) -> str:
    """Say which module an import statement of the application's does not find.

    It is empty where code has made up the module's name, which may be a value.
    """
    passed = [Frame(each.f_code, {}, line) for each, line in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in passed if is_the_applications(frame)]
    names = own[-1].code.co_names if own else ()
    if not any(f"{name}.".startswith(f"{error.name}.") for name in names):
        return ""
    return f"{error.name}, which {own[-1].code.co_filename}:{own[-1].line} imports"


def words_of(error: BaseException) -> set[str]:
    """Give the names and the texts, in upper case, in the application's code that raised.

    Where that was a hook, the code that asked for the settings is left out.
    """
    words: set[str] = set()
    frames = list(frames_of(error))
    within = list(dropwhile(lambda frame: frame.code is not RUNS_HOOK, frames))
    for frame in within or frames:
        if is_the_applications(frame):
            found = (*frame.code.co_names, *frame.code.co_consts)
            texts = [word.upper().replace("__", ".") for word in found if isinstance(word, str)]
            words.update(part for text in texts for part in text.split("."))
    return words
