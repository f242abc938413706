#!/usr/bin/env bash
# Run every check on every supported Python of this machine. Needs only Python 3.10 or newer.
# Arguments go to tox: ./test.sh -e py312 -- -k mirror
set -eu
cd "$(dirname "$0")"

# A version manager keeps its Pythons side by side and shows one of them: look where it keeps them,
# first of all beside that one, because $HOME need not be where they were installed.
beside=$(python3 -c 'import os, sys; print(os.path.dirname(sys.base_prefix))')
pyenv=$(readlink -f "$(command -v pyenv)" || true)
shopt -s nullglob
pythons() {
    local place
    for place in "$beside" "${PYENV_ROOT:-${HOME-}/.pyenv}/versions" "${pyenv%/*/*}/versions"; do
        printf '%s\n' "$place"/*/bin/"python$1"
    done
    type -aP "python$1"
}

export TOX_DISCOVER=
for version in 3.10 3.11 3.12 3.13 3.14 3.15; do
    found=
    while read -r candidate; do
        # What is on PATH may be a version manager's stub for a Python that is switched off.
        if "$candidate" -c '' 2>/dev/null; then
            found=$candidate
            break
        fi
    done < <(pythons "$version")
    if [ -n "$found" ]; then
        newest=$found
    elif [ $# = 0 ] || [[ $* == *"py${version/./}"* ]]; then
        # Wanted and not here: in a machine of Debian's kind it can be had without being installed.
        found=$(.ci/debian-python .tox/pythons "$version" || true)
    fi
    if [ -n "$found" ]; then
        TOX_DISCOVER+=${TOX_DISCOVER:+,}$found
    else
        echo "NOTICE: there is no Python $version here, its tests are skipped" >&2
    fi
done
if [ -z "${newest-}" ]; then
    echo "There is no supported Python here: install at least one of those above" >&2
    exit 1
fi

if ! .venv/bin/tox --version >/dev/null 2>&1; then
    "$newest" -m venv .venv
    .venv/bin/python -m pip install --quiet 'tox>=4.22'
fi

# The long runs are no hang: a search of 100,000 examples may take more than an hour.
[ -z "${NIGHTLY-}" ] || export PYTEST_ADDOPTS="-o faulthandler_timeout=9000 ${PYTEST_ADDOPTS-}"

[ $# -gt 0 ] || set -- run-parallel --parallel 2 --parallel-no-spinner
rm -rf .tox/results
status=0
.venv/bin/tox "$@" || status=$?

# In parallel, tox shows the output of failures only: say what ran.
.venv/bin/python - $status .tox/results/*.xml <<'EOF'
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

total = Counter()
failed = []
status, *paths = sys.argv[1:]
for path in map(Path, paths):
    suite = ElementTree.parse(path).find("testsuite")
    tests, failures, errors, skipped = (
        int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")
    )
    count = Counter(passed=tests - failures - errors - skipped, failed=failures + errors, skipped=skipped)
    total += count
    failed += [
        f"FAILED in {path.stem}: {case.get('classname')}.{case.get('name')}: "
        + " ".join(bad.get("message", "").split())[:300]
        for case in suite.iter("testcase")
        for bad in [*case.iter("failure"), *case.iter("error")]
    ]
    print(f"{path.stem:14}", *(f"{count[kind]:5} {kind}" for kind in ("passed", "failed", "skipped")))
if status != "0":
    print(*failed, "Not everything is well: tox says above which environment failed", sep="\n")
if paths:  # lint and docs, for instance, run no tests
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
EOF
exit $status
