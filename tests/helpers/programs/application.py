"""An application under a test's control: it evaluates each line of its input and prints the result.

Arguments: statements to run first, the mounts as a JSON list, and options as a JSON object. Both it
and the lines may use what is imported here. Statements that set WITHOUT leave the package out.
"""

from __future__ import annotations

import gc  # noqa: F401 -- because the lines use it
import json
import logging
import os
import sys
import threading  # noqa: F401 -- because the lines use it
import time  # noqa: F401 -- because the lines use it
from typing import Any

import namespaces  # type: ignore[import-not-found]  # noqa: F401 -- because the first statements use it


def main() -> None:
    """Run until the input ends."""
    names = globals()
    exec(sys.argv[1], names)
    from dynaconf import Dynaconf

    if "WITHOUT" in names:
        names.update(settings=Dynaconf(envvar_prefix="MYAPP"))
        names["settings"].get("KEY")
        serve(names)
        return
    from dynaconf_k8s_reload import get_reloader

    class Records(logging.Handler):
        """Keeps what is logged."""

        def __init__(self) -> None:
            super().__init__()
            self.lines: list[str] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.lines.append(f"{record.levelname} {record.getMessage()}")

    records = Records()
    logging.getLogger("dynaconf_k8s_reload").addHandler(records)
    logging.getLogger("dynaconf_k8s_reload").setLevel(logging.INFO)
    settings: Any = Dynaconf(
        envvar_prefix="MYAPP",
        loaders=["dynaconf_k8s_reload.loader"],
        k8s_mounts=json.loads(sys.argv[2]),
        **{"k8s_prefixed_only": False, **json.loads(sys.argv[3])},
    )
    names.update(settings=settings, reloader=get_reloader(settings), logged=records.lines, os=os)
    serve(names)


def serve(names: dict[str, Any]) -> None:
    """Answer each line."""
    for line in sys.stdin:
        print(json.dumps(eval(line, names)), flush=True)


if __name__ == "__main__":
    main()
