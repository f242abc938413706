"""The command line, in a process in which statements run first. Arguments: these, then its own."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import namespaces  # type: ignore[import-not-found]  # noqa: F401 -- because the statements use it

if __name__ == "__main__":
    _, first, *arguments = sys.argv
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from inotify import Inotify  # noqa: F401 -- because the statements use it

    sys.path.pop(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    exec(first)
    from dynaconf_k8s_reload.__main__ import main

    sys.argv = ["dynaconf-k8s-reload", *arguments]
    main()
