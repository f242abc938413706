"""What other libraries make of a mounted ConfigMap, for docs/compared.md.

    pip install dature[watch] dynamic-config-py layerconf[watch] pydantic-settings sentry-options
    pip install without-configmap
    python benchmarks/rivals.py

It takes Python 3.14, which without-configmap needs.
Each library gets processes and volumes of its own, which are written as the kubelet writes them.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dynaconf import Dynaconf, Validator

from dynaconf_k8s_reload.testing import AtomicWriter

PATIENCE = 40.0  # seconds that a library has to notice a change: more than our `k8s_resync`
UNSEEN = f"not within {PATIENCE:.0f} s"
ARMED = 1.0  # seconds until whatever watches in a thread of its own does
ROUNDS = 1_000  # models that are read while a writer never pauses
KEYS = 20
HEADS = ("a swap", "bad content", "then a good one", "a new directory", "a swap in it")
ROW = "{:29} {:17} {:14} {:17} {:17} {}"
HELD: list[Any] = []  # what ends a watch when it is collected
Read = Callable[[], int]


def ours(volume: Path) -> Read:
    """Follow a directory of keys, one of them validated."""
    settings = Dynaconf(
        envvar_prefix="SHOP",
        loaders=["dynaconf_k8s_reload.loader"],
        k8s_mounts=[str(volume)],
        validators=[Validator("NUMBER", is_type_of=int)],
    )
    return lambda: int(settings.NUMBER)


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


def without_configmap(volume: Path) -> Read:
    """Follow a mount by its stream, in an event loop of its own."""
    library: Any = importlib.import_module("without_configmap")
    streams: Any = importlib.import_module("without_streams")
    shop = importlib.import_module("pydantic").create_model("Shop", number=(int, ...))
    sampled: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def follow() -> None:
        parse = library.read_yaml_file(shop, "app.json")  # YAML includes JSON
        async with streams.sample(library.watch_config(volume, parse)) as config:
            sampled.put(config)
            await asyncio.Event().wait()

    threading.Thread(target=asyncio.run, args=(follow(),), daemon=True).start()
    config = sampled.get(timeout=PATIENCE)
    return lambda: int(config.current().number)


LIBRARIES: dict[str, tuple[str, Callable[[Path], Read]]] = {
    "dynaconf-k8s-reload": ("dynaconf-k8s-reload", ours),
    "dature": ("dature", dature),
    "dature, by an interval": ("dature", dature_interval),
    "dynamic-config-py": ("dynamic-config-py", dynamic_config_py),
    "layerconf": ("layerconf", layerconf),
    "sentry-options": ("sentry-options", sentry_options),
    "without-configmap": ("without-configmap", without_configmap),
}


def content(number: object) -> dict[str, str]:
    """Give the volume's files, one form for each library."""
    return {
        "SHOP_NUMBER": str(number),
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
    return UNSEEN


def swapped(writer: AtomicWriter, read: Read) -> list[str]:
    """Swap the volume, give it content that is refused, and then good content again."""
    writer.write(content(2))
    swap = noticed(read, 2)
    if swap == UNSEEN:
        return [swap, "-", "-"]
    before = read()
    writer.write(content("bad"))
    time.sleep(2)
    kept = "last good one" if read() == before else "took it"
    writer.write(content(3))
    return [swap, kept, noticed(read, 3)]


def replaced(writer: AtomicWriter, read: Read) -> list[str]:
    """Replace the directory, and swap the new one."""
    volume = Path(writer.directory)
    volume.rename(volume.with_name("moved"))
    writer = AtomicWriter(volume)
    writer.write(content(2))
    at_once = noticed(read, 2)
    writer.write(content(3))
    return [at_once, noticed(read, 3)]


TRIALS = {"swapped": swapped, "replaced": replaced}


def follow(name: str, trial: str) -> None:
    """Print what a library gives in one of the trials, as JSON."""
    volume = Path(tempfile.mkdtemp()) / "values" / "shop"
    writer = AtomicWriter(volume)
    writer.write(content(1))
    read = LIBRARIES[name][1](volume)
    noticed(read, 1)  # some begin to watch at their first read
    time.sleep(ARMED)
    print(json.dumps(TRIALS[trial](writer, read)), flush=True)
    os._exit(0)  # whatever threads a library has


def tell(name: str) -> None:
    """Print a library's row."""
    cells: list[str] = []
    for trial in TRIALS:
        command = [sys.executable, __file__, name, trial]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        cells += json.loads(run.stdout.splitlines()[-1])
    print(ROW.format(f"{name} {version(LIBRARIES[name][0])}", *cells).rstrip(), flush=True)


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
        follow(*sys.argv[1:])
    else:
        print(ROW.format("", *HEADS), flush=True)
        for each in LIBRARIES:
            tell(each)
        mix()
