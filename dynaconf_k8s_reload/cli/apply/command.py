"""``apply``: write manifests into a directory as the kubelet would."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..._model.shown import counted
from ...testing import AtomicWriter
from ..changes import print_changes
from ..mounts import DIRECTORY_TO_WRITE, MARK_OF_SECRETS, differences
from ..screen import (
    CannotRunError,
    Option,
    console,
    example,
    printable,
    say,
    until_ended,
    verbose_option,
)
from .manifests import parse
from .volume import Manifest, ManifestError, project

LOOK_EVERY = 0.1  # seconds; a manifest that is the same at two looks has been saved


class _Item(click.ParamType):  # type: ignore[type-arg,unused-ignore] # reason: generic from click 8.4 on
    name = "item"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        key, equals, path = str(value).partition("=")
        if not equals or not key or not path:
            self.fail(f"{value!r} is not KEY=PATH, such as app.toml=conf/app.toml", param, ctx)
        return key, path


class _Mode(click.ParamType):  # type: ignore[type-arg,unused-ignore] # reason: as above
    name = "mode"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        try:
            mode = int(str(value), 8)
        except ValueError:
            mode = -1
        if not 0 <= mode <= 0o777:  # noqa: PLR2004 -- because permissions are best written so
            self.fail("must be a number between 0 and 0777 (octal), both inclusive", param, ctx)
        return mode


files_option: Option = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A manifest, YAML or JSON; - is the standard input. May be given again.",
)


@click.command(
    epilog=example(
        "dynaconf-k8s-reload apply --watch -f configmap.yaml ./config",
        "kubectl get configmap app -o yaml | dynaconf-k8s-reload apply -f - ./config",
    )
)
@files_option
@click.option(
    "--items",
    multiple=True,
    metavar="KEY=PATH",
    type=_Item(),
    help="Write this key, at this path, and only keys given so. May be given again.",
)
@click.option(
    "--mode",
    default="0644",
    metavar="OCTAL",
    type=_Mode(),
    show_default=True,
    help="Permissions of the files.",
)
@click.option("--watch", is_flag=True, help="Apply again whenever a manifest is saved.")
@click.option(
    "--delete", is_flag=True, help="Empty DIR, as if an optional ConfigMap had been deleted."
)
@verbose_option
@click.argument("directory", metavar="DIR", type=DIRECTORY_TO_WRITE)
def apply(  # noqa: PLR0913 -- because each is an option of the command
    files: Sequence[str],
    items: Sequence[tuple[str, str]],
    mode: int,
    directory: Path,
    *,
    watch: bool,
    delete: bool,
    verbose: bool,
) -> None:
    """Write ConfigMaps and Secrets into DIR as the kubelet would.

    Each update is published in one rename. Nothing is written if anything is
    wrong with a manifest. Where several hold a key, the last one counts. More
    than 50 changes are summed up.

    Exit code: 0 if DIR holds it, and after Ctrl-C with --watch; 2 if not.
    """
    if delete == bool(files):
        raise click.UsageError("Give either -f FILE or --delete.")
    if watch and (delete or "-" in files):
        raise click.UsageError("--watch needs files: give -f FILE, and not '-'.")
    if os.path.isdir(directory) and not _is_ours(directory):
        raise CannotRunError(
            f"{printable(directory)} holds files but no ..data, so it is not a volume; "
            "give an empty directory or a new one"
        )

    def once() -> None:
        manifests = [manifest for file in files for manifest in read_manifests(file)]
        _write(directory, manifests, project(manifests, items), mode, verbose=verbose)

    if delete:
        _write(directory, [], {}, mode, verbose=verbose)
    elif watch:
        until_ended(lambda: _follow(files, directory, once))
    else:
        try:
            once()
        except ManifestError as error:
            raise CannotRunError(str(error)) from None


def _is_ours(directory: Path) -> bool:
    try:
        return os.path.lexists(directory / "..data") or not os.listdir(directory)
    except OSError as error:
        raise CannotRunError(f"{printable(directory)}: {error.strerror}") from None


def _follow(files: Sequence[str], directory: Path, once: Callable[[], None]) -> None:
    applied = before = None
    gone: set[str] = set()
    err = console(stderr=True)
    say(err, f"Following {', '.join(map(printable, files))}; Ctrl-C ends it.")
    while True:
        saved = [_state(file) for file in files]
        now_gone = {file for file, state in zip(files, saved, strict=True) if state is None}
        if saved == before:  # an editor may have been replacing one
            for file in sorted(now_gone - gone):
                say(
                    err,
                    f"{printable(file)}: it is gone; waiting for it, and the volume stays as it is",
                )
            gone = now_gone
        if saved != applied and (applied is None or saved == before) and not now_gone:
            applied = saved
            try:
                once()
            except (ManifestError, CannotRunError) as error:
                say(err, f"{error}\n{printable(directory)}: left as it is")
        before = saved
        time.sleep(LOOK_EVERY)  # editors save in ways that a watch for events would miss


def _state(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_manifests(file: str) -> list[Manifest]:
    """Read the manifests of a file; ``-`` is the standard input.

    Raises:
        ManifestError: it cannot be read, or Kubernetes would refuse one.
    """
    source = "standard input" if file == "-" else printable(file)
    try:
        with click.open_file(file, "rb") as opened:
            return parse(opened.read().decode("utf-8-sig"), source)
    except UnicodeDecodeError:
        raise ManifestError(f"{source}: it is not UTF-8 text") from None
    except OSError as error:
        raise ManifestError(f"{source}: {error.strerror}") from None


def _mark(directory: Path, *, secret: bool) -> None:
    """Have the other commands know a volume that a Secret went into, before it does."""
    mark = directory / MARK_OF_SECRETS
    if secret:
        directory.mkdir(parents=True, exist_ok=True)
        mark.touch()
    else:
        mark.unlink(missing_ok=True)


def _write(
    directory: Path,
    manifests: Sequence[Manifest],
    payload: dict[str, bytes],
    mode: int,
    *,
    verbose: bool,
) -> None:
    out = console()
    try:
        writer = AtomicWriter(directory)
        before = writer.payload
        _mark(directory, secret=any(manifest.kind == "Secret" for manifest in manifests))
        written = writer.write(payload, mode)
    except OSError as error:
        raise CannotRunError(f"{printable(directory)}: {error.strerror}") from None
    except ValueError as error:
        raise CannotRunError(printable(str(error))) from None
    for manifest in manifests:
        size = sum(map(len, manifest.payload.values()))
        keys = counted(len(manifest.payload), "key")
        say(out, f"{manifest.label}: {keys}, {counted(size, 'byte')}")
    changes = differences(before, payload)
    print_changes(out, changes, lambda each: f"  {each.kind:8}  {each.key}", verbose=verbose)
    done = time.strftime("written at %H:%M:%S") if written else "unchanged"
    say(out, f"{printable(directory)}: {done}")
