"""Have pyright tell which public names of the installed package have no type."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PACKAGE = "dynaconf_k8s_reload"
OF_DJANGO = {  # their bases have no types
    f"{PACKAGE}.django.apps.K8sReloadConfig",
    f"{PACKAGE}.django.management.commands.k8s_reload.Command",
}


def main() -> None:
    """Name them.

    Raises:
        SystemExit: always, with 1 if there are any.
    """
    done = subprocess.run(
        ["basedpyright", "--verifytypes", PACKAGE, "--ignoreexternal", "--outputjson"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    symbols: list[dict[str, Any]] = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    public = {each["name"]: each["isTypeKnown"] for each in symbols if each["isExported"]}
    missing = [name for name, known in public.items() if not known and name not in OF_DJANGO]
    for name in sorted(missing):
        print(f"{name} has no complete type")
    print(f"{len(public) - len(missing)} of {len(public)} public names have types.")
    sys.exit(1 if missing or not public else 0)


if __name__ == "__main__":
    main()
