#!/bin/sh
# Show a ConfigMap edit arriving in a running Flask application. Needs only Python 3.10 or newer.
set -eu
cd "$(dirname "$0")"
python3 -m venv .venv-demo
.venv-demo/bin/python -m pip install --quiet '.[flask,cli]'
exec .venv-demo/bin/python examples/flask/demo.py
