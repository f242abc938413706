"""A worker without HTTP for the cluster tests; its argument is what SHOP_POOL must be below."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from dynaconf import Dynaconf, Validator

NEEDED = os.environ.get("NEEDED")  # a setting without which it does not come up

settings: Any = Dynaconf(
    envvar_prefix="SHOP",
    loaders=["dynaconf_k8s_reload.loader"],
    validators=[
        Validator("POOL", lt=int(sys.argv[1])),
        *([Validator(NEEDED, must_exist=True)] if NEEDED else []),
    ],
)

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print(settings.POOL, flush=True)
    signal.sigwait({signal.SIGTERM})
