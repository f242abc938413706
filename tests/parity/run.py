"""Run dynaconf's own tests with our loader in the place of its own.

    ./test.sh -e parity [-- --table FILE.txt]

The tests come from dynaconf's source distributions on the package index, the newest of each line;
what they ask for and is not in there stands in ``beside``. Each line's tests run plainly first:
what fails then is not ours. Whatever passes then must pass the other ways too (see
``beside/parity.py``), but for the names in ``allowed.txt``, which run apart, and must fail there:
a name that passes again has to be taken out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
LINES = ("3.3", "3.2")
WAYS = {
    "default": "our loader as the default, and for env_loader",
    "mounted": "the variables also in a mount",
}
MOST_ALLOWED = 15


class Run(NamedTuple):
    """What one run of pytest gave.

    Attributes:
        outcomes: ``passed``, ``failed`` or ``skipped``, by the test's id.
        share: for how many of the settings objects that were made our loader was at work.
        output: what pytest printed.
    """

    outcomes: dict[str, str]
    share: float
    output: str

    def names(self, outcome: str) -> set[str]:
        """Give the ids of the tests that ended so."""
        return {name for name, each in self.outcomes.items() if each == outcome}


def unpack(line: str, directory: Path) -> Path:
    """Fetch the newest source distribution of a line, and put beside its tests what they need."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    options = ["--no-binary=dynaconf", f"--dest={directory}", f"dynaconf=={line}.*"]
    subprocess.run([*download, *options], check=True)
    (archive,) = directory.glob(f"dynaconf-{line}.*.tar.gz")
    with tarfile.open(archive) as opened:
        # Python 3.10 and 3.11 have had `filter` since 3.10.12 and 3.11.4 only.
        safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        opened.extractall(directory, **safely)
    root = directory / archive.name.removesuffix(".tar.gz")
    shutil.copytree(HERE / "beside", root, dirs_exist_ok=True)
    return root


def run(root: Path, way: str, *arguments: str) -> Run:
    """Run the tests of an unpacked distribution one way."""
    results = root / "results.json"
    results.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "parity", "-p", "no:cacheprovider", "--quiet"]
    options = ["--continue-on-collection-errors", "--tb=short", "--disable-warnings"]
    environment = {
        **os.environ,
        "PARITY": way,
        "PARITY_RESULTS": str(results),
        "PYTHONPATH": str(root),  # for the processes that tests start; it is dynaconf's own package
        # Where the command `dynaconf` is that some tests start.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    # Some need Redis or Vault in a container; dynaconf has marked them.
    chosen = ["-m", "not integration", *(arguments or ["tests"])]
    ended = subprocess.run(
        [*command, *options, *chosen],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if not results.exists():
        raise SystemExit(f"pytest did not run:\n{ended.stdout}\n{ended.stderr}")
    written = json.loads(results.read_text())
    made = written["made"]
    return Run(written["outcomes"], made.get("ours", 0) / made.get("all", 1), ended.stdout)


def allowed() -> dict[str, list[str]]:
    """Read which tests may fail, by the way."""
    entries = [
        line.split(maxsplit=2)
        for line in (HERE / "allowed.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    if not all(len(entry) == 3 for entry in entries):
        raise SystemExit("allowed.txt: each line has a way, a test and a reason")
    if len({name for _, name, _ in entries}) > MOST_ALLOWED:
        raise SystemExit(f"allowed.txt: more than {MOST_ALLOWED} tests")
    return {way: [name for each, name, _ in entries if each in {way, "both"}] for way in WAYS}


def compare(root: Path, plain: Run, way: str, may_fail: Iterable[str]) -> tuple[str, list[str]]:
    """Run one line's tests one of our ways.

    Returns:
        A row of the table, and what is wrong: nothing, if all is well.
    """
    passing = plain.names("passed")
    excused = [name for name in may_fail if name in passing]
    ours = run(root, way, "tests", *(f"--deselect={name}" for name in excused))
    apart = run(root, way, *excused)
    faults = sorted(passing - ours.names("passed") - set(excused))
    wrong = [f"{root.name}, {way}: {name} fails with our loader only" for name in faults]
    wrong += [
        f"{root.name}, {way}: {name} passes: take it out of allowed.txt"
        for name in sorted(apart.names("passed"))
    ]
    if faults:
        print(ours.output)
    passed = len(ours.names("passed") & passing)
    return (
        f"{root.name:16} {WAYS[way]:46} {passed:5} {len(faults):6} {len(excused):8} "
        f"{ours.share:8.0%}"
    ), wrong


def main() -> int:
    """Run all lines, all ways; print the table, and what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", type=Path, help="write the table into this file, too")
    arguments = parser.parse_args()
    may_fail, wrong = allowed(), []
    rows = [f"{'':16} {'':46} {'pass':>5} {'faults':>6} {'allowed':>8} {'on ours':>8}"]
    for line in LINES:
        with tempfile.TemporaryDirectory(prefix="parity-") as directory:
            root = unpack(line, Path(directory))
            plain = run(root, "plain")
            failing = len(plain.names("failed"))
            rows.append(
                f"{root.name:16} {f'dynaconf alone ({failing} fail, which is not ours)':46} "
                f"{len(plain.names('passed')):5}"
            )
            for way in WAYS:
                row, found = compare(root, plain, way, may_fail[way])
                rows.append(row)
                wrong += found
    table = "\n".join(row.rstrip() for row in rows) + "\n"
    print(table)
    if arguments.table:
        arguments.table.write_text(table)
    for each in wrong:
        print(each)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
