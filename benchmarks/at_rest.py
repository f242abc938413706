"""What it costs while nothing changes, and what importing costs; each is printed as JSON.

python benchmarks/at_rest.py idle MOUNTS SECONDS     processor seconds and own threads
python benchmarks/at_rest.py import                  seconds beyond dynaconf and watchdog
python benchmarks/at_rest.py start WHO DIRECTORY      processor seconds of a start
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import threading
import time


def idle(mounts: int, seconds: float) -> dict[str, float]:
    """Follow so many mounts, or none, and sleep."""
    from dynaconf import Dynaconf  # noqa: PLC0415 -- because `importing` measures imports
    from subjects import content, mounted  # noqa: PLC0415 -- as above

    from dynaconf_k8s_reload import get_reloader  # noqa: PLC0415 -- as above

    with contextlib.ExitStack() as stack:
        paths = [str(stack.enter_context(mounted(content(20, 0))).directory) for _ in range(mounts)]
        if mounts:
            loaders = ["dynaconf_k8s_reload.loader"]
            settings = Dynaconf(loaders=loaders, k8s_mounts=paths)
            reloader = get_reloader(settings)
            reloader.on_change()(print)  # so that the subscribers' thread is there, too
            stack.callback(reloader.stop, restore=True)
        time.sleep(1)
        own = [thread for thread in threading.enumerate() if thread.name.startswith("k8s-reload")]
        before = time.process_time()
        time.sleep(seconds)
        used = time.process_time() - before
        return {"used": used, "threads": len(own), "all": threading.active_count() - 1}


def importing() -> float:
    """Import the loader where dynaconf and watchdog have been imported."""
    for name in ("dynaconf.base", "dynaconf.validator", "watchdog.observers", "watchdog.events"):
        importlib.import_module(name)
    started = time.perf_counter()
    importlib.import_module("dynaconf_k8s_reload.loader")
    return time.perf_counter() - started


def start(who: str, mount: str) -> float:
    """Import, load for the first time, and give the processor time of the whole process.

    WHO is ``ours``, or ``plain``: dynaconf alone, from the same variables of the environment.
    """
    from dynaconf import Dynaconf  # noqa: PLC0415 -- because imports are what is measured

    options = {"loaders": ["dynaconf_k8s_reload.loader"], "k8s_mounts": [mount]}
    settings = Dynaconf(envvar_prefix="BENCH", **(options if who == "ours" else {}))
    settings.get("KEY_0")
    return time.process_time()


def main() -> None:
    """Measure one thing."""
    what, *rest = sys.argv[1:]
    if what == "start":
        print(json.dumps(start(*rest)))
    elif what == "idle":
        print(json.dumps(idle(int(rest[0]), float(rest[1]))))
    else:
        print(json.dumps(importing()))


if __name__ == "__main__":
    main()
