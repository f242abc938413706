"""The command ``dynaconf-k8s-reload``, also ``python -m dynaconf_k8s_reload``."""

from __future__ import annotations

import io
import sys
from typing import cast

from .cli import asking

__all__ = ["main", "rollout"]

_EXTRA = ("click", "rich", "yaml")


def main() -> None:
    """Run the command line; without the extra ``cli``, say what to install.

    Raises:
        SystemExit: always, with 0 for fine, 1 for findings and 2 for what cannot run.
    """
    if sys.argv[1:2] == ["status"]:
        # Without what the others need: a probe is to be quick, and may have nothing else.
        raise SystemExit(asking.main(sys.argv[2:]))
    try:
        from .cli import cli  # noqa: PLC0415 -- because what it needs may not be installed
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in _EXTRA:
            raise
        print(  # noqa: T201 -- because nothing else to print with is installed
            f"dynaconf-k8s-reload needs {missing}; run: pip install 'dynaconf-k8s-reload[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    # A file's name may be beyond the terminal's encoding.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    cli(prog_name="dynaconf-k8s-reload")


def rollout() -> None:
    """Run ``rollout`` as a plugin of kubectl: ``kubectl config-rollout configmap/NAME``."""
    sys.argv.insert(1, "rollout")
    main()


if __name__ == "__main__":
    main()
