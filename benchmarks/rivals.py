"""What other libraries make of a mounted ConfigMap, for docs/compared.md.

    pip install dature[watch] dynamic-config-py layerconf[watch] pydantic-settings sentry-options
    python benchmarks/rivals.py

Each library gets a process and a volume of its own, which is written as the kubelet writes it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dynaconf_k8s_reload.testing import AtomicWriter

PATIENCE = 20.0  # seconds that a library has to notice a change
ROUNDS = 1_000  # models that are read while a writer never pauses
KEYS = 20
ROW = "{:30} {:18} {:14} {}"
HELD: list[Any] = []  # what ends a watch when it is collected
Read = Callable[[], int]


def dature(volume: Path) -> Read:
    """Follow a file by its own watch."""
    return _dature(volume, "file_watch", "FileWatchTrigger")


def dature_interval(volume: Path) -> Read:
    """Load the file again each second."""
    return _dature(volume, "interval", "FixedIntervalTrigger", interval=1)


def _dature(volume: Path, module: str, trigger: str, **options: Any) -> Read:
    library: Any = importlib.import_module("dature")
    made = getattr(importlib.import_module(f"dature.reloading.{module}"), trigger)(**options)
    source = library.JsonSource(file=str(volume / "app.json"))
    loader = library.Loader(source, schema=_dataclass(), cache=True, reload=made)
    return lambda: int(loader.load().number)


def _dataclass() -> Any:
    return importlib.import_module("dataclasses").make_dataclass("Shop", [("number", int)])


def layerconf(volume: Path) -> Read:
    """Follow a file by its own watch."""
    library: Any = importlib.import_module("layer")
    providers: Any = importlib.import_module("layer.providers")
    number = library.field(int, default=0)
    shop = library.layerclass(
        type("Shop", (), {"__annotations__": {"number": int}, "number": number})
    )
    source = providers.FileProvider(str(volume / "app.json"), watch=True)
    pipeline = library.ConfigPipeline(shop).add_provider(source)
    settings = pipeline.load()
    pipeline.start()
    return lambda: int(settings.number)


def sentry_options(volume: Path) -> Read:
    """Read an option, which looks at the file now and then."""
    library: Any = importlib.import_module("sentry_options")
    schema = volume.parents[1] / "schemas" / "shop" / "schema.json"
    schema.parent.mkdir(parents=True)
    number = {"type": "integer", "default": 0, "description": "A number."}
    shape = {"version": "1.0", "type": "object", "properties": {"number": number}}
    schema.write_text(json.dumps(shape))
    os.environ["SENTRY_OPTIONS_DIR"] = str(volume.parents[1])
    library.init()
    return lambda: int(library.options("shop").get("number"))


def dynamic_config_py(volume: Path) -> Read:
    """Follow a file by its own watch."""
    library: Any = importlib.import_module("dynamic_config")
    config = library.DynamicConfig(_dataclass(), key="shop")
    config.file(str(volume / "shop.json"))
    config.init()
    HELD.append(config.watching())
    HELD[-1].__enter__()
    return lambda: int(config.current().number)


LIBRARIES: dict[str, tuple[str, Callable[[Path], Read]]] = {
    "dature": ("dature", dature),
    "dature, by an interval": ("dature", dature_interval),
    "dynamic-config-py": ("dynamic-config-py", dynamic_config_py),
    "layerconf": ("layerconf", layerconf),
    "sentry-options": ("sentry-options", sentry_options),
}


def content(number: object) -> dict[str, str]:
    """Give the volume's files, one form for each library."""
    return {
        "app.json": json.dumps({"number": number}),
        "shop.json": json.dumps({"shop": {"number": number}}),
        "values.json": json.dumps({"options": {"number": number}}),
    }


def noticed(read: Read, expected: int) -> str:
    """Tell how long a library takes to give a number, if it does."""
    started = time.monotonic()
    while (taken := time.monotonic() - started) < PATIENCE:
        if read() == expected:
            return f"seen after {taken:.1f} s"
        time.sleep(0.01)
    return f"not within {PATIENCE:.0f} s"


def follow(name: str) -> None:
    """Swap the volume, refuse a swap, replace the directory, and print what the library gives."""
    distribution, start = LIBRARIES[name]
    volume = Path(tempfile.mkdtemp()) / "values" / "shop"
    writer = AtomicWriter(volume)
    writer.write(content(1))
    read = start(volume)
    noticed(read, 1)  # some begin to watch at their first read
    writer.write(content(2))
    swap = noticed(read, 2)
    before = read()
    writer.write(content("bad"))
    time.sleep(2)
    kept = "last good one" if read() == before else "took it"
    if before == 1:
        kept = "-"  # it did not look
    volume.rename(volume.with_name("moved"))
    AtomicWriter(volume).write(content(3))
    replaced = noticed(read, 3)
    print(ROW.format(f"{name} {version(distribution)}", swap, kept, replaced), flush=True)
    os._exit(0)  # whatever threads a library has


def mix() -> None:
    """Read models of pydantic-settings from a directory of keys while a writer never pauses."""
    settings: Any = importlib.import_module("pydantic_settings")
    fields: Any = dict.fromkeys((f"key{number}" for number in range(KEYS)), (str, ...))
    model = importlib.import_module("pydantic").create_model(
        "Shop", __base__=settings.BaseSettings, **fields
    )
    with tempfile.TemporaryDirectory() as directory:
        writer, done = AtomicWriter(directory), threading.Event()
        writer.write(dict.fromkeys(fields, "0"))

        def write() -> None:
            number = 0
            while not done.is_set():
                number += 1
                writer.write(dict.fromkeys(fields, str(number)))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            shops = [model(_secrets_dir=directory) for _ in range(ROUNDS)]
        finally:
            done.set()
            thread.join()
    mixed = sum(len(set(shop.model_dump().values())) > 1 for shop in shops)
    name = f"pydantic-settings {version('pydantic-settings')}"
    print(f"{name:30} {mixed} of {ROUNDS:,} models mixed beside a writer that never pauses")


if __name__ == "__main__":
    if sys.argv[1:]:
        follow(sys.argv[1])
    else:
        print(ROW.format("", "a swap", "bad content", "a replaced directory"), flush=True)
        for each in LIBRARIES:
            subprocess.run([sys.executable, __file__, each], check=False)
        mix()
