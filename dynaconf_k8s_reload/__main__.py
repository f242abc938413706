"""The command ``dynaconf-k8s-reload``, also ``python -m dynaconf_k8s_reload``."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn, cast

from .cli import asking

__all__ = ["main", "rollout"]

_EXTRA = ("click", "rich", "yaml")


def main() -> None:
    """Run the command line; without the extra ``cli``, say what to install.

    Raises:
        SystemExit: always, with 0 for fine, 1 for findings and 2 for what cannot run, such as for
            an output that takes no more; with 130 after Ctrl-C, SIGTERM or SIGHUP.
    """
    _open_what_is_closed()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:  # not under ``nohup``
            signal.signal(ending, signal.default_int_handler)  # leave no scratch directory behind
    # A file's name may be beyond the terminal's encoding.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(asking.INTERRUPTED) from None
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left has nowhere to go at the exit
        if isinstance(error, BrokenPipeError):  # its reader has seen enough, such as ``head``
            raise SystemExit(1) from None
        if isinstance(error, FileNotFoundError):  # from os.getcwd, which names no file
            _complain("the working directory is gone; change to one that exists")
        _complain(f"the output cannot be written: {error.strerror}")


def _run() -> None:
    if sys.argv[1:2] == ["status"]:
        # It needs nothing that the others do: a probe must be quick, and may have nothing else.
        raise SystemExit(asking.main(sys.argv[2:]))
    try:
        from .cli import cli  # noqa: PLC0415 -- because what it needs may not be installed
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in _EXTRA:
            raise
        _complain(
            f"dynaconf-k8s-reload needs {missing}; run: pip install 'dynaconf-k8s-reload[cli]'"
        )
    cli(prog_name="dynaconf-k8s-reload")


def _open_what_is_closed() -> None:
    """Open closed streams (``>&-``) on nothing, so that no file of ours gets their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            opened = open(os.devnull, mode)  # noqa: SIM115 -- because it stays open
            # Or the process in which `check` loads an application would begin without it.
            os.set_inheritable(opened.fileno(), True)  # noqa: FBT003 -- because os takes no keyword
            setattr(sys, name, opened)


def _complain(line: str) -> NoReturn:
    print(line, file=sys.stderr)  # noqa: T201 -- because there may be nothing else to print with
    raise SystemExit(asking.CANNOT_RUN) from None


def rollout() -> None:
    """Run ``rollout`` as a plugin of kubectl: ``kubectl config-rollout configmap/NAME``."""
    sys.argv.insert(1, "rollout")
    main()


if __name__ == "__main__":
    main()
