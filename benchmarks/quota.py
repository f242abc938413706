"""A control group with a quota of processor time, as the kubelet makes one for a CPU limit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PERIOD = 100_000  # microseconds, the kubelet's
ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu"))  # version 2, version 1


@contextlib.contextmanager
def cores(share: float) -> Iterator[Path | None]:
    """Have a control group with this share of one core; none where the system gives none."""
    group = next((root for root in ROOTS if (root / "cgroup.procs").exists()), ROOTS[0])
    group /= f"benchmark-{os.getpid()}"
    try:
        group.mkdir()
        quota = int(share * PERIOD)
        if (group / "cpu.cfs_quota_us").exists():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()
