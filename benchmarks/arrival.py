"""How long after the kubelet's rename a change is there: ours, the usual ways, and the floor.

    python benchmarks/arrival.py WHO SWAPS [GROUP]   prints the seconds of each swap as JSON

WHO is one of `ways.WAYS`. The writer is a process of its own, which notes when it renames. Ours
also prints how long the building of each candidate took. GROUP is the directory of a control group
that the process joins, the writer does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from subjects import mounted, swap
from ways import WAYS, data

EVERY = 0.025  # seconds between two swaps
PATIENCE = 5.0


def write(directory: str, who: str, swaps: int) -> None:
    """Swap so many times, and print when each rename was."""
    contents = (data(who, number) for number in range(1, swaps + 1))
    print(json.dumps(swap(directory, contents, EVERY)))


def main() -> None:
    """Measure one way."""
    who, swaps, *rest = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    if who == "write":
        write(rest[0], rest[1], swaps)
        return
    seen: dict[int, int] = {}
    complete = threading.Event()

    def see(number: int) -> None:
        seen.setdefault(number, time.monotonic_ns())
        if number == swaps:
            complete.set()

    with mounted(data(who, 0)) as writer, WAYS[who](writer, see) as built:
        time.sleep(1)  # whatever is armed in a thread of its own is armed then
        command = [sys.executable, __file__, "write", str(swaps), str(writer.directory), who]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for group in rest:
            Path(group, "cgroup.procs").write_text(str(os.getpid()))
        complete.wait(swaps * EVERY * 4 + PATIENCE)
        renamed = json.loads(process.communicate()[0])
    delays = [(at - renamed[number - 1]) / 1e9 for number, at in seen.items() if number]
    print(json.dumps({"delays": delays, "built": built}))
    sys.stdout.flush()
    os._exit(0)  # the thread that waits for inotify has no other end


if __name__ == "__main__":
    main()
