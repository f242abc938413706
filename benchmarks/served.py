"""How long requests take beside swaps of a mount, in a real server: gunicorn, its threads.

    python benchmarks/served.py WHO KEYS SWAPS     prints the seconds of each request as JSON

WHO is ``ours``, ``by_hand`` (what one writes today: watchdog, then ``settings.reload()``) or
``still`` (settings that follow nothing, so that what is left is the kubelet's own work). Clients
ask at a steady rate; requests within `BESIDE` of a swap are told apart from the others.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from subjects import PREFIX, content, following, mounted, plain, swap
from ways import WAYS

from dynaconf_k8s_reload.testing import AtomicWriter

CLIENTS = 2
PAUSE = 0.004  # seconds between two requests of a client
EVERY = 0.5  # seconds between two swaps
BESIDE = 0.1  # seconds after a swap, in which 1,000 keys are read and reloaded
READ = 10  # settings a request
PATIENCE = 30.0
FOLLOWED = contextlib.ExitStack()


@functools.cache
def followed() -> Any:
    """Make the settings of this worker, and what follows the mount."""
    writer, who = AtomicWriter(os.environ["MOUNT"]), os.environ["WHO"]
    if who == "ours":
        return FOLLOWED.enter_context(following(writer))
    settings = plain()
    if who == "by_hand":
        FOLLOWED.enter_context(WAYS["watchdog"](writer, lambda _: None))
    return settings


def application(_: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer with some settings."""
    settings = followed()
    text = " ".join(str(settings[f"KEY_{number}"]) for number in range(READ)).encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


def write(directory: str, keys: int, swaps: int) -> None:
    """Swap so many times, in a process of its own, and print when each swap came."""
    contents = (
        {**content(keys, number), f"{PREFIX}_NUMBER": str(number)} for number in range(1, swaps + 1)
    )
    print(json.dumps([at / 1e9 for at in swap(directory, contents, EVERY)]))


@contextlib.contextmanager
def serving(who: str, mount: str) -> Iterator[int]:
    """Have the server, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
        command += ["--worker-class", "gthread", "--threads", "4", "--no-control-socket"]
        command += ["--log-level", "error", "served:application"]
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parent,
            env={**os.environ, "WHO": who, "MOUNT": mount},
            pass_fds=[listener.fileno()],
        )
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait()


def ask(port: int, taken: list[tuple[float, float]], done: threading.Event) -> None:
    """Ask until it is done; note when each request began, and how long it took."""
    while not done.wait(PAUSE):
        began = time.monotonic()
        # A connection each: on one that is kept, answers wait for delayed acknowledgements.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        taken.append((began, time.monotonic() - began))


def main() -> None:
    """Measure one server."""
    who, keys, swaps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if who == "write":
        write(os.environ["MOUNT"], keys, swaps)
        return
    first = {**content(keys, 0), f"{PREFIX}_NUMBER": "0"}
    taken: list[tuple[float, float]] = []
    done = threading.Event()
    with mounted(first) as writer, serving(who, mount := str(writer.directory)) as port:
        clients = [threading.Thread(target=ask, args=(port, taken, done)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(2)  # the worker has loaded its settings by then, and watches
        command = [sys.executable, __file__, "write", str(keys), str(swaps)]
        environment = {**os.environ, "MOUNT": mount}
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        done.set()
        for client in clients:
            client.join()
    at = json.loads(run.stdout)
    found: dict[str, list[float]] = {"beside": [], "apart": []}
    for began, took in taken:
        beside = any(began + took > swap and began < swap + BESIDE for swap in at)
        found["beside" if beside else "apart"].append(took)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
