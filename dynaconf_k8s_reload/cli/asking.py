"""Asking processes how they are: what ``status`` does, with the standard library only."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from .._model.published import processes, statuses

FINE, FOUND, CANNOT_RUN = 0, 1, 2

NOBODY = (
    "no process has a status; it is kept from the first load of the settings on, by processes of "
    "this user and this container"
)


def main(arguments: Sequence[str]) -> int:
    """Run ``status`` with the words of a command line; give the exit status."""
    parser = argparse.ArgumentParser(
        prog="dynaconf-k8s-reload status", description="Ask processes how they are."
    )
    parser.add_argument("pids", metavar="PID", nargs="*", type=int, help="all, if none is given")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    parser.add_argument("--probe", action="store_true", help="print nothing; 1 unless all is well")
    given = parser.parse_args(arguments)
    return ask(given.pids, as_json=given.as_json, probe=given.probe)


def ask(pids: Sequence[int], *, as_json: bool = False, probe: bool = False) -> int:
    """Print how processes are; give 0 if all are healthy, 1 if not, 2 if one cannot be asked.

    Args:
        pids: the processes; all that can be found if none is given.
        as_json: print a list with a `Status.as_dict` for each settings object of each process.
        probe: print nothing, and give 1 for whatever is not healthy.
    """
    found: list[dict[str, Any]] = []
    complaints = []
    for pid in pids or processes():
        try:
            of_process = statuses(pid)
        except OSError as error:
            complaints.append(f"process {pid} cannot be asked ({type(error).__name__}); {_REMEDY}")
            continue
        if pids and not of_process:
            complaints.append(
                f"process {pid} has no status; it is kept from the first load of the settings on, "
                "and in a child from its first use of them on"
            )
        found += of_process
    healthy = bool(found) and not complaints and all(status["healthy"] for status in found)
    if probe:
        return FINE if healthy else FOUND
    for complaint in complaints or ([] if found else [NOBODY]):
        print(complaint, file=sys.stderr)  # noqa: T201 -- because printing is what a command does
    if as_json:
        print(json.dumps(found))  # noqa: T201 -- as above
    else:
        for status in found:
            print("\n".join(_lines(status)))  # noqa: T201 -- as above
    if not found or complaints:
        return CANNOT_RUN
    return FINE if healthy else FOUND


_REMEDY = "give the number of a process of this user and container"


def _lines(status: dict[str, Any]) -> list[str]:
    """Describe one status: a line, and one for each thing that a person should look at."""
    mounts = ", ".join(mount["path"] for mount in status["mounts"]) or "no mount"
    health = "healthy" if status["healthy"] else "NOT HEALTHY"
    generation = f"generation {status['generation']} ({status['revision']}) of {mounts}"
    lines = [f"{status['pid']}: {health}, {generation}, watching: {status['watching']}"]
    lines += [f"  {problem}" for problem in status["problems"]]
    if status["last_error"] is not None:
        lines.append(f"  {status['last_error']}")
    if status["restart_required"]:
        lines.append(f"  a restart is required for {', '.join(status['restart_required'])}")
    return lines
