"""What it costs while nothing changes, what importing costs, and how long other threads wait.

python benchmarks/at_rest.py idle MOUNTS SECONDS     processor seconds and own threads, as JSON
python benchmarks/at_rest.py import                  seconds beyond dynaconf and watchdog
python benchmarks/at_rest.py delays KEYS             seconds that 1 ms of work takes, as JSON
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
            stack.callback(get_reloader(settings).stop, restore=True)
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


def delays(keys: int) -> list[float]:
    """Work 1 ms at a time in one thread, while another reloads."""
    from subjects import content, following, mounted  # noqa: PLC0415 -- as above

    from dynaconf_k8s_reload import get_reloader  # noqa: PLC0415 -- as above

    taken: list[float] = []
    with mounted(content(keys, 0)) as writer, following(writer, k8s_watch=False) as settings:
        reloader = get_reloader(settings)
        for step in range(1, 6):
            writer.write(content(keys, step))
            thread = threading.Thread(target=reloader.reload)
            thread.start()
            while thread.is_alive():
                started = time.perf_counter()
                until = time.thread_time() + 0.001
                while time.thread_time() < until:
                    pass
                taken.append(time.perf_counter() - started)
            thread.join()
    return taken


def main() -> None:
    """Measure one thing."""
    what, *numbers = sys.argv[1:]
    if what == "idle":
        print(json.dumps(idle(int(numbers[0]), float(numbers[1]))))
    elif what == "import":
        print(json.dumps(importing()))
    else:
        print(json.dumps(delays(int(numbers[0]))))


if __name__ == "__main__":
    main()
