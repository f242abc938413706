"""The ways to see a change: ours, those that one takes instead, and the least that it can take.

Each way notes when it first sees the number of a swap, in the thread that has just read it: ours,
in the settings and in the environment, when the reload is logged. Nobody polls, since that would
hold up whoever reads many files.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from subjects import PREFIX, content, following, plain, reload_by_hand
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from dynaconf_k8s_reload._reload.candidate import build_all
from dynaconf_k8s_reload._source import switch_interval
from dynaconf_k8s_reload.testing import AtomicWriter

KEYS = 20
DOCUMENT = "app.json"
STREAMED = "app.yaml"
BUILD_ALL = "dynaconf_k8s_reload._reload.passing.build_all"
NUMBER = f"{PREFIX}_NUMBER"
MOVED_TO_OR_CREATED = 0x180  # IN_MOVED_TO | IN_CREATE, inotify(7)

See = Callable[[int], object]  # called with each number that is there


def data(who: str, number: int) -> dict[str, str]:
    """Give what the volume holds: a file a key, or one document."""
    values = {**content(KEYS, number), NUMBER: str(number)}
    if who.startswith("dynamic_config"):
        return {DOCUMENT: json.dumps({"app": values}), NUMBER: str(number)}
    if who == "without_configmap":
        return {STREAMED: json.dumps(values)}  # YAML includes JSON
    return values


@contextlib.contextmanager
def ours(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it where both the settings and the environment have it."""
    built: list[float] = []

    def timed(*args: Any, **kwargs: Any) -> None:
        started = time.perf_counter()
        try:
            build_all(*args, **kwargs)
        finally:
            built.append(time.perf_counter() - started)

    with following(writer) as settings, mock.patch(BUILD_ALL, timed):

        class Published(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.levelno == logging.INFO:
                    see(min(int(settings.NUMBER), int(os.environ[NUMBER])))

        log = logging.getLogger("dynaconf_k8s_reload")
        log.setLevel(logging.INFO)
        log.addHandler(Published())
        yield built


@contextlib.contextmanager
def usual_interval(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it as ours does, with the interpreter's usual switch interval."""
    with mock.patch.object(switch_interval, "SHORT", 1.0), ours(writer, see) as built:
        yield built


@contextlib.contextmanager
def watchdog(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it in settings that a handler of watchdog reloads."""
    settings, mount = plain(), Path(writer.directory)

    def reload() -> None:
        reload_by_hand(settings, mount)
        see(min(int(settings.NUMBER), int(os.environ[NUMBER])))

    with _observed(mount, reload):
        yield []


@contextlib.contextmanager
def watchdog_alone(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it as soon as watchdog tells, and one file has been read."""
    mount = Path(writer.directory)
    with _observed(mount, lambda: see(int((mount / "..data" / NUMBER).read_text()))):
        yield []


@contextlib.contextmanager
def _observed(mount: Path, act: Callable[[], object]) -> Iterator[None]:
    """Do something at each event of watchdog that may be a swap."""

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "moved"):
                with contextlib.suppress(OSError):  # a file that went while it was read
                    act()

    observer = Observer()
    observer.schedule(Handler(), str(mount))
    observer.start()
    try:
        yield
    finally:
        observer.stop()
        observer.join()


@contextlib.contextmanager
def pydantic_settings(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it in a model of pydantic-settings that is made anew when watchfiles tells."""
    from pydantic import create_model  # noqa: PLC0415 -- because only this way needs it
    from pydantic_settings import BaseSettings  # noqa: PLC0415 -- as above
    from watchfiles import watch  # noqa: PLC0415 -- as above

    fields: Any = dict.fromkeys((*content(KEYS, 0), NUMBER), (str, ...))
    model = create_model("Model", __base__=BaseSettings, **fields)
    for name in fields:
        os.environ.pop(name, None)  # which would beat the files

    def follow() -> None:
        for _ in watch(writer.directory):
            see(int(getattr(model(_secrets_dir=writer.directory), NUMBER)))

    threading.Thread(target=follow, daemon=True).start()
    yield []


@contextlib.contextmanager
def dynamic_config(writer: AtomicWriter, see: See, debounce: float = 0.25) -> Iterator[list[float]]:
    """See it in a model of dynamic-config-py, which reads one document and watches it."""
    from dynamic_config import DynamicConfig  # noqa: PLC0415 -- because only this way needs it
    from pydantic import create_model  # noqa: PLC0415 -- as above

    fields: Any = dict.fromkeys((*content(KEYS, 0), NUMBER), (str, ...))
    config = DynamicConfig(create_model("Model", **fields), key="app")
    config.file(os.path.join(writer.directory, DOCUMENT))
    config.init()

    def reloaded(_: object, new: object) -> None:
        see(int(getattr(new, NUMBER)))

    config.on_reload(reloaded)
    with config.watching(debounce=debounce):
        yield []


def dynamic_config_at_once(writer: AtomicWriter, see: See) -> Any:
    """See it there without a wait for quiet."""
    return dynamic_config(writer, see, debounce=0.0)


@contextlib.contextmanager
def without_configmap(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it in the stream of models that without-configmap gives."""
    from pydantic import create_model  # noqa: PLC0415 -- because only this way needs it
    from without_configmap import read_yaml_file, watch_config  # noqa: PLC0415 -- as above

    fields: Any = dict.fromkeys((*content(KEYS, 0), NUMBER), (str, ...))
    parse = read_yaml_file(create_model("Model", **fields), STREAMED)

    async def follow() -> None:
        async for model in watch_config(Path(writer.directory), parse):
            see(int(getattr(model, NUMBER)))

    threading.Thread(target=asyncio.run, args=(follow(),), daemon=True).start()
    yield []


@contextlib.contextmanager
def floor(writer: AtomicWriter, see: See) -> Iterator[list[float]]:
    """See it as soon as inotify tells, and one file has been read."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    path = str(writer.directory)
    libc.inotify_add_watch(descriptor, path.encode(), MOVED_TO_OR_CREATED)

    def follow() -> None:
        with contextlib.suppress(FileNotFoundError):  # the mount is gone, at the end
            while True:
                os.read(descriptor, 4096)
                see(int((Path(path) / "..data" / NUMBER).read_text()))

    threading.Thread(target=follow, daemon=True).start()
    yield []


WAYS: dict[str, Callable[[AtomicWriter, See], contextlib.AbstractContextManager[list[float]]]] = {
    "ours": ours,
    "usual_interval": usual_interval,
    "watchdog": watchdog,
    "watchdog_alone": watchdog_alone,
    "pydantic_settings": pydantic_settings,
    "dynamic_config": dynamic_config,
    "dynamic_config_at_once": dynamic_config_at_once,
    "without_configmap": without_configmap,
    "floor": floor,
}
