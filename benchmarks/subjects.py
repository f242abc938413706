"""What is measured: an application on this package, and what a user would write instead."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dynaconf import Dynaconf

from dynaconf_k8s_reload import get_reloader
from dynaconf_k8s_reload.testing import AtomicWriter

PREFIX = "BENCH"
MEBIBYTE = 1024 * 1024
MOST_KEYS = 10_000


SHAPES: Mapping[str, Callable[[int], str]] = {
    "flat": lambda n: f"KEY_{n}",
    "lists": lambda n: f"LIST_{n}",
    "one parent": lambda n: f"P__KEY_{n}",
    "20 parents": lambda n: f"P{n % 20}__KEY_{n}",
    "three levels": lambda n: f"P{n % 20}__Q{n % 7}__KEY_{n}",
}


def shaped(shape: str, keys: int, step: int) -> dict[str, str]:
    """Give so many keys of a shape, every value another one at each step."""
    text = "[{}, {}]" if shape == "lists" else "value {} of key {}"
    return {f"{PREFIX}_{SHAPES[shape](n)}": text.format(step, n) for n in range(keys)}


def content(keys: int, step: int) -> dict[str, str]:
    """Give so many keys, every value another one at each step: numbers and texts.

    Ten thousand are as large as a ConfigMap may be: a mebibyte.
    """
    kinds = ("value {} of key {}", "{}{:05}", "https://host-{}.example/{}", "{}.{:03}5")
    data = {f"{PREFIX}_KEY_{n}": kinds[n % 4].format(step, n) for n in range(keys)}
    if keys == MOST_KEYS:
        size = MEBIBYTE // keys
        data = {key: f"text {value} ".ljust(size, "x") for key, value in data.items()}
    return data


@contextlib.contextmanager
def mounted(data: Mapping[str, str]) -> Iterator[AtomicWriter]:
    """Have a volume that holds this, and the variables of the pod's ``envFrom``."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        writer = AtomicWriter(Path(directory) / "config")
        writer.write(data)
        os.environ.update(data)
        try:
            yield writer
        finally:
            for name in [name for name in os.environ if name.startswith(f"{PREFIX}_")]:
                del os.environ[name]


def swap(directory: str, contents: Iterable[Mapping[str, str]], every: float) -> list[int]:
    """Write one content after another; give the nanoseconds at which each one came."""
    renamed: list[int] = []
    rename = os.replace

    def noted(source: str, target: str) -> None:
        renamed.append(time.monotonic_ns())
        rename(source, target)

    os.replace = noted  # type: ignore[assignment] # reason: it takes what the writer gives
    writer = AtomicWriter(directory)
    for each in contents:
        writer.write(each)
        time.sleep(every)
    return renamed


@contextlib.contextmanager
def following(writer: AtomicWriter, **options: Any) -> Iterator[Any]:
    """Have settings that follow a mount."""
    settings = Dynaconf(
        envvar_prefix=PREFIX,
        loaders=["dynaconf_k8s_reload.loader"],
        k8s_mounts=[str(writer.directory)],
        **options,
    )
    reloader = get_reloader(settings)
    try:
        yield settings
    finally:
        reloader.stop(restore=True)


def plain() -> Any:
    """Make settings of dynaconf alone, from the environment."""
    settings = Dynaconf(envvar_prefix=PREFIX)
    settings.get("KEY_0")
    return settings


def read_with_open(mount: str) -> dict[str, str]:
    """Read the files of a mount in the plainest way."""
    texts: dict[str, str] = {}
    for name in os.listdir(mount):
        if not name.startswith(".."):
            with open(os.path.join(mount, name)) as file:
                texts[name] = file.read()
    return texts


def reload_by_hand(settings: Any, mount: Path) -> None:
    """Do what one writes today: copy the files into the environment, and reload the settings."""
    files = {path.name: path.read_text() for path in mount.iterdir() if path.name[:2] != ".."}
    for gone in [n for n in os.environ if n.startswith(f"{PREFIX}_") and n not in files]:
        del os.environ[gone]
    os.environ.update(files)
    settings.reload()
