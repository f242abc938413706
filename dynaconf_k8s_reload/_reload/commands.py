"""Our commands for Flask and Django: whose status they show, and how they tell of a refusal.

A framework loads the settings before it calls a command, so what a first load raises would end in
a traceback.
"""

from __future__ import annotations

import os
import sys

NAMES = frozenset({"k8s_reload", "k8s-reload"})  # Django's and Flask's


def speaks_of() -> str:
    """Say whose status a command shows: its own process's, not that of the processes that serve."""
    return (
        f"the fresh process {os.getpid()} of this command; those that serve tell theirs at the "
        "status page, or to dynaconf-k8s-reload status"
    )


def told_in_a_line(error: BaseException) -> BaseException:
    """Give what to raise for an error of a first load: in a command, an exit with a single line."""
    if NAMES.isdisjoint(sys.argv[1:]):
        return error
    return SystemExit(f"the settings cannot be loaded: {error}")
