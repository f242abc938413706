"""Swap a mount at random gaps, and print when each swap was committed.

Arguments: the directory, how many swaps, the longest gap in seconds. Output, at the end: a JSON
list of the times, by the system's monotonic clock.
"""

from __future__ import annotations

import json
import random
import sys
import time

from dynaconf_k8s_reload.testing import AtomicWriter


class Timed(AtomicWriter):
    """Notes the time of each commit."""

    def _publish(self, name: str) -> None:
        super()._publish(name)
        times.append(time.monotonic())


times: list[float] = []


def main() -> None:
    """Swap."""
    directory, count, gap = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    writer = Timed(directory)
    for number in range(count):
        writer.write({"NUMBER": str(number), "KEY": "constant"})
        time.sleep(random.uniform(0, gap))  # the pace is what is asked for
    print(json.dumps(times))


if __name__ == "__main__":
    main()
