"""Provoke failures with a marker in each content, and print what a viewer of errors shows of them.

The viewer is the first argument. No frame of this program holds a content.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dynaconf import LazySettings, Validator

from dynaconf_k8s_reload import Mount, get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter
from support import make_settings

MARKER = "zQ7" + "marker"  # in two parts, since viewers show lines of the source
DEPTH = 5


def secret() -> dict[str, str | bytes]:
    """The content of the Secret."""
    return {"PASSWORD": MARKER, "TOKEN": f"@format {MARKER}", "TABLE": f'{{"{MARKER}" = 1}}'}


def good() -> dict[str, str | bytes]:
    """A ConfigMap that is accepted, with the marker in values and in keys within values."""
    return {
        "MYAPP_N": "1",
        "MYAPP_TEXT": MARKER,
        "MYAPP_KEYS": "@json " + json.dumps({MARKER: {MARKER: MARKER}}),
        "MYAPP_LIST": f'@json [{{"{MARKER}": "{MARKER}"}}]',
        "MYAPP_LAZY": f"@format {MARKER} {{this.TEXT}}",
        "MYAPP_DB__PASSWORD": MARKER,
        "BYTES": MARKER.encode() + b"\xff",
        "app.toml": f'FROM_FILE = "{MARKER}"\n',
        "MYAPP_SETTINGS_FILE_FOR_DYNACONF": MARKER,
        "KUBERNETES_PORT": MARKER,
    }


SETTINGS_FILES = {  # at a first load dynaconf's business, before ours
    *("a file", "a python file", "an unfinished python file", "a yaml file", "a json file"),
    "a file of bytes",
}
FORMATS = ("toml", "py", "yaml", "json")
Point = tuple[Callable[[], dict[str, str | bytes]], dict[str, Any]]
POINTS: dict[str, Point] = {
    "too large": (lambda: {"BIG": MARKER * 200_000}, {}),
    "an integer": (lambda: {"MYAPP_N": f"@int {MARKER}"}, {}),
    "a table": (lambda: {"MYAPP_N": f'@json {{"{MARKER}": '}, {}),
    "a file": (lambda: {"app.toml": f'X = "{MARKER}'}, {}),
    "a python file": (lambda: {"app.py": f"X = '{MARKER}'\n1 / 0"}, {}),
    "an unfinished python file": (lambda: {"app.py": f"X = '{MARKER}\n"}, {}),
    "a yaml file": (lambda: {"app.yaml": f"a: [{MARKER}\nb: {MARKER}: {MARKER}\n"}, {}),
    "a json file": (lambda: {"app.json": f'{{"{MARKER}": {MARKER}}}'}, {}),
    "a file of bytes": (lambda: {"app.toml": MARKER.encode() + b' = "\xff"'}, {}),
    "an operation": (
        lambda: {"MYAPP_TEXT": MARKER * 2},
        {"validators": [Validator("TEXT", len_max=len(MARKER))]},
    ),
    "a condition": (
        lambda: {"MYAPP_TEXT": MARKER * 2},
        {"validators": [Validator("TEXT", condition=lambda value: len(value) == len(MARKER))]},
    ),
    "a table's size": (
        lambda: {"MYAPP_KEYS": "@json " + json.dumps({MARKER: 1, f"{MARKER}2": 2})},
        {"validators": [Validator("KEYS", len_eq=1), Validator("LIST", len_eq=1)]},
    ),
    "a type": (
        lambda: {"MYAPP_KEYS": MARKER},
        {"validators": [Validator("KEYS", is_type_of=dict)]},
    ),
    "a cast": (
        lambda: {"MYAPP_N": MARKER},
        {"validators": [Validator("N", cast=int)]},
    ),
    "a template": (
        lambda: {"MYAPP_LAZY": f"@format {{this.{MARKER}}}"},
        {"validators": [Validator("LAZY", ne=1)]},
    ),
    "a filter": (
        lambda: {"MYAPP_LAZY": f"@jinja {{{{ '{MARKER}' | {MARKER} }}}}"},
        {"validators": [Validator("LAZY", ne=1)]},
    ),
    "an unfinished template": (
        lambda: {"MYAPP_LAZY": f"@jinja {{{{ '{MARKER}'"},
        {"validators": [Validator("LAZY", ne=1)]},
    ),
    "a merged template": (lambda: {"MYAPP_DB__x": f"@merge @jinja {{{{ {MARKER} "}, {}),
    "a condition that raises": (
        lambda: {"MYAPP_TEXT": MARKER * 2},
        {"validators": [Validator("TEXT", condition=lambda value: value == MARKER or int(value))]},
    ),
    "a hook": (
        lambda: {"MYAPP_N": "2"},
        {"post_hooks": [lambda settings: {"HALF": 1 / (2 - settings.N)}]},
    ),
}


class FramesHandler(logging.Handler):
    """Shows the stack of whoever logs, as a tracker with ``attach_stacktrace`` does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the line and the frames."""
        print(self.format(record))
        frame: Any = sys._getframe()
        while frame is not None:
            show_locals(frame)
            frame = frame.f_back


def show_locals(frame: Any) -> None:
    """Print the local variables of a frame, unless it is this program's."""
    if frame.f_globals.get("__name__") != __name__ and frame.f_locals is not frame.f_globals:
        for name, value in dict(frame.f_locals).items():
            print(frame.f_code.co_name, name, shown(value))


def shown(value: Any, depth: int = 5) -> str:
    """Show a value as trackers do: what is a container is taken apart, of the rest the repr."""
    kind = type(value)  # asked for its class, a lazy object would be loaded
    if depth and issubclass(kind, Mapping):
        return " ".join(f"{key!r}: {shown(value[key], depth - 1)}" for key in list(value))
    if depth and issubclass(kind, (list, tuple, set, frozenset)):
        return " ".join(shown(item, depth - 1) for item in value)
    return object.__repr__(value) if issubclass(kind, LazySettings) else repr(value)


def frames(error: BaseException) -> None:
    """Print an exception, all that led to it, and the local variables of all their frames."""
    print("".join(traceback.format_exception(error)))
    met: Any = error
    while met is not None:
        trace = met.__traceback__
        while trace is not None:
            show_locals(trace.tb_frame)
            trace = trace.tb_next
        print(repr(met), vars(met))
        met = met.__cause__ or met.__context__


def rich(error: BaseException) -> None:
    """Print what rich shows with local variables."""
    console, tracebacks = (
        importlib.import_module("rich.console"),
        importlib.import_module("rich.traceback"),
    )
    trace = tracebacks.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=None
    )
    console.Console(width=200).print(trace)


def django(error: BaseException) -> None:
    """Print Django's error page."""
    conf, debug = (
        importlib.import_module("django.conf"),
        importlib.import_module("django.views.debug"),
    )
    if not conf.settings.configured:
        conf.settings.configure(DEBUG=True, SECRET_KEY="a key")
        importlib.import_module("django").setup()
    print(
        debug.ExceptionReporter(None, type(error), error, error.__traceback__).get_traceback_html()
    )


def sentry(error: BaseException) -> None:
    """Print the event of the tracker's default options."""
    importlib.import_module("sentry_sdk").capture_exception(error)


def start_sentry() -> None:
    """Have each event printed, those of lines of the log included."""
    sdk, transport = (
        importlib.import_module("sentry_sdk"),
        importlib.import_module("sentry_sdk.transport"),
    )

    class Printing(transport.Transport):  # type: ignore[name-defined,misc] # reason: not always installed
        """Prints what would be sent."""

        def capture_envelope(self, envelope: Any) -> None:
            """Print it."""
            print(envelope.serialize().decode(errors="replace"))

    sdk.init(dsn="https://a@o1.ingest.invalid/1", transport=Printing, attach_stacktrace=True)


def failures(point: str) -> Iterator[BaseException]:
    """Give what a first load raises at this content, and what an update to it is refused with."""
    change, options = POINTS[point]
    directory = Path(tempfile.mkdtemp())
    secrets, config = AtomicWriter(directory / "secret"), AtomicWriter(directory / "config")
    secrets.write(secret())
    options |= {
        "k8s_watch": False,
        "settings_files": [str(config.directory / f"app.{kind}") for kind in FORMATS],
    }
    mounts = (Mount(str(secrets.directory), secret=True), Mount(str(config.directory)))
    config.write({**good(), **change()})
    error: Exception | None = None
    try:
        bool(make_settings(*mounts, **options).PASSWORD)
    except Exception as raised:  # of every kind, to be searched for values
        error = raised
    config.write(good())  # whoever looks at lazy settings in a frame has them loaded
    if error is not None and point not in SETTINGS_FILES:
        yield error
    error = None
    settings = make_settings(*mounts, **options)
    reloader = get_reloader(settings)
    config.write({**good(), **change()})
    result = reloader.reload()
    if result.error is not None:
        yield result.error
    print(repr(result), repr(reloader), repr(reloader.status()), reloader.status().as_dict())
    config.write({})
    print(repr(reloader.reload()), repr(reloader.status()), reloader.status().as_dict())
    reloader.stop(restore=True)


def main(viewer: str) -> None:
    """Provoke all."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    if viewer == "sentry":
        start_sentry()
    if viewer == "frames":
        logging.getLogger("dynaconf_k8s_reload").addHandler(FramesHandler(logging.ERROR))
    for point in POINTS:
        for error in failures(point):
            print(f"-- {point}: {type(error).__name__}")
            VIEWERS[viewer](error)


VIEWERS: dict[str, Callable[[BaseException], None]] = {
    "frames": frames,
    "rich": rich,
    "django": django,
    "sentry": sentry,
}
if __name__ == "__main__":
    main(sys.argv[1])
