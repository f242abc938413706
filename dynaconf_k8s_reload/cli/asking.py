"""Asking processes how they are: what ``status`` does, with the standard library only."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import chain, starmap
from typing import Any

from .._model.published import processes, statuses
from .._model.shown import escaped

FINE, FOUND, CANNOT_RUN = 0, 1, 2
INTERRUPTED = 130  # what a shell gives for a program that Ctrl-C has ended: 128 and SIGINT

DESCRIPTION = """Ask running processes how they are.

Without a PID it asks all that it finds. They keep their status in memory, so
this needs no port and no file. It works without the other commands'
requirements, too.

Exit code: 0 if all are healthy, 1 if one is not, 2 if there is none or one
cannot be asked; with --probe 0 or 1. A process that has refused an update is
healthy."""
JSON_HELP = "Print a list of statuses, for a program."
PROBE_HELP = "Print only why not, and exit with 1, unless all are healthy."
EXAMPLES = ("dynaconf-k8s-reload status", "dynaconf-k8s-reload status --probe 1")

NOBODY = (
    "no process has a status; it is kept from the first load of the settings by "
    "dynaconf_k8s_reload.loader on, in processes of this user and this container"
)


def main(arguments: Sequence[str]) -> int:
    """Run ``status`` with the words of a command line; give the exit code."""
    parser = argparse.ArgumentParser(
        prog="dynaconf-k8s-reload status",
        description=DESCRIPTION,
        epilog="\n  ".join(("Examples:", *EXAMPLES)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("pids", metavar="PID", nargs="*", type=int, help="A process.")
    parser.add_argument("--json", dest="as_json", action="store_true", help=JSON_HELP)
    parser.add_argument("--probe", action="store_true", help=PROBE_HELP)
    parser.add_argument("-h", "--help", action="help", help="Show this message and exit.")
    given = parser.parse_args(arguments)
    return ask(given.pids, as_json=given.as_json, probe=given.probe)


def ask(pids: Sequence[int], *, as_json: bool = False, probe: bool = False) -> int:
    """Print how processes are; give 0 if all are healthy, 1 if not, 2 if one cannot be asked.

    Args:
        pids: the processes; all that can be found if none is given.
        as_json: print a list with a `Status.as_dict` for each settings object of each process.
        probe: give 1 for whatever is not healthy, and print nothing else: on standard error, so
            that ``kubectl describe pod`` shows it beside the probe's failure.
    """
    asked, complaints = _asked(pids)
    if probe:
        for pid, status in asked:
            complaints += [] if status["healthy"] else _lines(pid, status)
    for complaint in complaints:
        print(escaped(complaint), file=sys.stderr)  # noqa: T201 -- because printing is what a command does
    if probe:
        return FOUND if complaints else FINE
    if as_json:
        print(json.dumps([status for _, status in asked]))  # noqa: T201 -- as above
    else:
        for line in chain.from_iterable(starmap(_lines, asked)):
            print(_broken(escaped(line)))  # noqa: T201 -- as above
    if complaints:
        return CANNOT_RUN
    return FINE if all(status["healthy"] for _, status in asked) else FOUND


def _asked(pids: Sequence[int]) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    """Give the statuses, each with its process, and what to say of those that cannot be asked."""
    asked: list[tuple[int, dict[str, Any]]] = []
    complaints = []
    for pid in pids or processes():
        try:
            of_process = [(pid, status) for status in statuses(pid)]
            list(starmap(_lines, of_process))  # what is not a status fails here
        except Exception as error:  # noqa: BLE001 -- because anybody may publish anything
            has_ended = isinstance(error, (FileNotFoundError, ProcessLookupError))
            if pids or not has_ended:  # one that was found a moment ago may end meanwhile
                complaints.append(_why_not(pid, error))
            continue
        if pids and not of_process:
            complaints.append(
                f"process {pid} has no status; it is kept from the first load of the settings by "
                "dynaconf_k8s_reload.loader on, and in a child from its first use of them on"
            )
        asked += of_process
    return asked, complaints or ([] if asked else [NOBODY])


def _why_not(pid: int, error: Exception) -> str:
    """Say why a process cannot be asked."""
    if isinstance(error, PermissionError):
        return f"process {pid} may not be looked into: it is another user's"
    if isinstance(error, OSError):
        return f"there is no process {pid}; give one of this container, or none"
    return (
        f"process {pid} publishes what is not a status ({type(error).__name__}); ask it with the "
        "version of this package that it has itself"
    )


def _lines(pid: int, status: dict[str, Any]) -> list[str]:
    """Describe one status: a line, and one for each thing that a person should look at."""
    own = "" if status["pid"] == pid else f" ({status['pid']} in its container)"
    mounts = ", ".join(mount["path"] for mount in status["mounts"]) or "no mount"
    health = "healthy" if status["healthy"] else "NOT HEALTHY"
    # Each mount's own, as `rollout` shows and compares it, not the one of all of them.
    revisions = ", ".join(mount["revision"] for mount in status["mounts"])
    shown = f" ({revisions})" if revisions else ""
    generation = f"generation {status['generation']}{shown} of {mounts}"
    lines = [f"{pid}{own}: {health}, {generation}, watching: {status['watching']}"]
    lines += [f"  {problem}" for problem in status["problems"]]
    if status["last_error"] is not None:
        lines.append(f"  {status['last_error']}")
    if status["restart_required"]:
        lines.append(f"  a restart is required for {', '.join(status['restart_required'])}")
    return lines


def _broken(line: str) -> str:
    """Break a line between words where a terminal is too narrow; elsewhere it stays whole."""
    if not sys.stdout.isatty():
        return line
    import shutil  # noqa: PLC0415 -- because a probe, which needs neither, is to be quick
    import textwrap  # noqa: PLC0415 -- as above

    width, indent = shutil.get_terminal_size().columns, len(line) - len(line.lstrip())
    further = " " * (indent + 2)
    broken = textwrap.wrap(
        line, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(broken)
