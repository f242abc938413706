"""Swap a mount until standard input ends; say how often. Arguments: directory, order, pause."""

from __future__ import annotations

import select
import sys
from typing import Any

from dynaconf_k8s_reload.testing import AtomicWriter

KEYS = [f"KEY{number}" for number in range(20)]


def payload(generation: int) -> dict[str, str]:
    """Twenty keys that must all agree, a nested one, and one that comes and goes."""
    agreeing = {f"MYAPP_{key}": str(generation) for key in KEYS}
    sometimes = {"MYAPP_SOMETIMES": "1"} if generation % 2 else {}
    return {**agreeing, "MYAPP_DB__HOST": str(generation), **sometimes}


def main(directory: str, order: Any, pause: str) -> None:
    """Swap as fast as it goes, or with a pause."""
    writer, swaps = AtomicWriter(directory, order=order), 0
    while not select.select([sys.stdin], [], [], float(pause))[0]:
        swaps += 1
        writer.write(payload(swaps))
    print(swaps)


if __name__ == "__main__":
    main(*sys.argv[1:])
