"""Processes of multiprocessing, other interpreters, and a debugger that follows along."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dynaconf_k8s_reload.testing import AtomicWriter

POOL = Path(__file__).parents[1] / "helpers" / "programs" / "pool.py"


def _run(*arguments: object, mount: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "ignore:.*use of fork", *map(str, arguments)],
        env={**os.environ, "MOUNT": str(mount)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("method", ["default", "fork", "forkserver", "spawn"])
def test_the_workers_of_a_pool_follow(tmp_path: Path, method: str) -> None:
    """By whichever method they start; from Python 3.14 on the default is ``forkserver``."""
    assert _run(POOL, method, mount=tmp_path) == '[[1, "1"]]\n[[2, "2"]]\n'


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the module came with Python 3.14")
def test_another_interpreter_reloads_when_told_to(volume: AtomicWriter) -> None:
    """It may start no daemon thread, so nothing watches there, and it ends right after a reload."""
    volume.write({"MYAPP_NUMBER": "1"})
    inside = textwrap.dedent("""
        import os
        from dynaconf import Dynaconf
        from dynaconf_k8s_reload import get_reloader
        from dynaconf_k8s_reload.testing import AtomicWriter
        settings = Dynaconf(envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"],
            k8s_mounts=[os.environ["MOUNT"]])
        print(settings.NUMBER, os.environ["MYAPP_NUMBER"])
        print(get_reloader(settings).status().watching)
        AtomicWriter(os.environ["MOUNT"]).write({"MYAPP_NUMBER": "2"})
        print(get_reloader(settings).reload().outcome, settings.NUMBER, os.environ["MYAPP_NUMBER"])
    """)
    program = (
        "from concurrent import interpreters\nbeside = interpreters.create()\n"
        f"beside.exec({inside!r})\nbeside.close()"
    )
    assert _run("-c", program, mount=volume.directory) == "1 1\noff\napplied 2 2\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the module came with Python 3.12")
def test_a_debugger_may_follow_a_reload(volume: AtomicWriter) -> None:
    """A tool of ``sys.monitoring`` sees our functions start, and nothing else is different."""
    volume.write({"MYAPP_NUMBER": "1"})
    program = textwrap.dedent("""
        import os, sys
        from dynaconf import Dynaconf
        from dynaconf_k8s_reload import get_reloader
        from dynaconf_k8s_reload.testing import AtomicWriter
        started, monitoring = set(), sys.monitoring
        monitoring.use_tool_id(monitoring.DEBUGGER_ID, "debugger")
        event = monitoring.events.PY_START
        monitoring.register_callback(
            monitoring.DEBUGGER_ID, event, lambda code, _: started.add(code.co_qualname))
        monitoring.set_events(monitoring.DEBUGGER_ID, event)
        settings = Dynaconf(envvar_prefix="MYAPP", loaders=["dynaconf_k8s_reload.loader"],
            k8s_mounts=[os.environ["MOUNT"]])
        print(settings.NUMBER)
        AtomicWriter(os.environ["MOUNT"]).write({"MYAPP_NUMBER": "2"})
        result = get_reloader(settings).reload()
        print(result.error, settings.NUMBER, os.environ["MYAPP_NUMBER"], "Pass.run" in started)
    """)
    assert _run("-c", program, mount=volume.directory) == "1\nNone 2 2 True\n"
