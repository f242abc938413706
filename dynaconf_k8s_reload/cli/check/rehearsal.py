"""Load an application on the content, and reload it: a program, for a process of its own.

The request comes as JSON on the standard input; the answer, the findings, goes to the standard
output. What the application itself prints goes to the standard error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from dynaconf.base import Settings

from ... import _dynaconf
from ..._model.mount import Mount
from ..._model.names import Names
from ..._reload.finding import get_reloader
from ..._source.content import Payload
from ..._source.reading import read
from ...testing import AtomicWriter
from ..application import LOGGER
from ..doctor.content import check_content
from ..doctor.keys import check_keys
from ..doctor.mounts import absent
from ..doctor.settings import NO_MOUNT, UNFINISHED, no_loader, settings_files
from ..findings import KEYS, Finding, sentence
from ..importing import find
from ..mounts import as_dict
from ..patience import UnfinishedError
from ..problem import Problem, names_of, problem_of
from ..screen import CannotRunError
from .differences import differing, refused_by_reload, set_by_code
from .volumes import PROBE, Places, Volume


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger(LOGGER).setLevel(logging.CRITICAL)  # findings tell the same
    places = Places([Volume(**volume) for volume in request["volumes"]], request["scratch"])
    try:
        verdict = examine(request["name"], places)
    except CannotRunError as error:
        verdict = {"cannot_run": error.message}
    answer.write(json.dumps(verdict))
    answer.close()
    os._exit(0)  # whatever threads the application has, and whatever it does at its exit


def examine(name: str, places: Places) -> dict[str, Any]:
    """Load settings, reload them, and give what was found.

    Raises:
        CannotRunError: there are no such settings.
    """
    loaded: dict[int, dict[str, Any]] = {}

    def complete(settings: Settings) -> None:
        loaded.setdefault(id(settings), _dynaconf.flat_values(settings))

    problem = None
    with _dynaconf.noting_constructions(places.prepare, complete) as made:
        try:
            settings, finished = find(name)
        except CannotRunError:
            raise
        except (Exception, SystemExit, UnfinishedError) as error:  # noqa: BLE001 -- because an application may raise anything
            problem = problem_of(error, made, list(places.taken.values()))
            findings = list(_of_problem(problem, places, names_of(made)))
        else:
            findings = [] if finished else [UNFINISHED]
            findings.extend(_of_settings(settings, places, loaded.get(id(settings), {})))
    heads = [{**as_dict(read(mount)), "path": path} for path, mount in places.taken.items()]
    return {
        "accepted": problem is None,
        "refused": [] if problem is None else list(problem.keys),
        "mounts": heads,
        "findings": [
            {**asdict(finding), "detail": places.named(finding.detail)} for finding in findings
        ],
    }


def _of_problem(problem: Problem, places: Places, names: Names) -> Iterator[Finding]:
    text, _, remedy = problem.text.partition("; ")
    told = f"{text}." if problem.keys else sentence(text)  # a name stays as it is
    see = sentence(remedy or "correct it before it is applied")
    title = "The content is refused" if problem.keys else "The settings cannot be loaded"
    name = "content-refused" if problem.keys else "settings-not-loaded"
    if problem.keys:  # perhaps only because these are missing
        if not places.follows:
            yield no_loader()
        elif not (places.taken or places.absent):
            yield NO_MOUNT
        yield from map(absent, dict.fromkeys(places.absent))
    yield Finding(name, "error", title, told, see, problem.keys)
    for finding in check_content(Payload(list(map(read, places.taken.values()))), names):
        known = problem.keys if finding.name == "value-fails" else ()
        if set(finding.keys) - set(known):
            yield replace(finding, keys=[key for key in finding.keys if key not in known])


def _of_settings(settings: Any, places: Places, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    attachment = _dynaconf.attachment_of(settings)
    if attachment is None:
        yield no_loader()
        return
    options, payload = attachment.generation.options, attachment.generation.payload
    if not options.k8s_mounts:
        yield NO_MOUNT
        return
    yield from _unused(places)
    files = settings_files(settings)
    yield from check_keys(payload, options, {}, _dynaconf.names(settings), files)
    yield from set_by_code(loaded, _dynaconf.flat_values(settings))
    yield from _rehearsed(settings, options.k8s_mounts)


def _unused(places: Places) -> Iterator[Finding]:
    others = [volume.label for volume in places.unused]
    if others:
        yield Finding(
            "directory-not-read",
            "error",
            "The application does not read a directory",
            f"{KEYS}: it has no further mount for this content.",
            "Add the directory to k8s_mounts.",
            others,
        )


def _rehearsed(settings: Settings, mounts: tuple[Mount, ...]) -> Iterator[Finding]:
    """Reload the same content, and say what is not the same afterwards."""
    mount = next((mount for mount in mounts if os.path.isdir(mount.path)), None)
    if mount is None:
        return
    reloader = get_reloader(settings)
    reloader.stop()
    writer = AtomicWriter(mount.path)
    probes = [PROBE, *(f"{key}_{PROBE}" for key in writer.payload)]  # one may be excluded
    probe = next(filter(mount.takes, probes), PROBE)
    before = _dynaconf.flat_values(settings)
    writer.write({**writer.payload, probe: b"x"})
    result = reloader.reload()
    writer.write({key: text for key, text in writer.payload.items() if key != probe})
    names = _dynaconf.names(settings)
    added = {".".join(names.path(key)) for key in names.keys(mount.prefix + probe)}
    if result.error is None:
        yield from differing(before, _dynaconf.flat_values(settings), added)
    else:
        yield refused_by_reload(result.error)


if __name__ == "__main__":
    main()
