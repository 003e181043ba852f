#!/usr/bin/env bash
# Passes the tests of the CI server with the wheel that ci-py/tests/run.sh has built, in an environment of
# its own. Arguments go to pytest: `--commits 200` for the long run against an unstable step runner.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }

target=$(cd ../../.. && pwd)/target
venv=$target/python/server
python=${PYTHON:-python3}

say "the environment of the CI server"
[ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check --no-index --force-reinstall --no-deps \
    "$target"/python/wheels/*.whl
"$venv/bin/pip" install -q --disable-pip-version-check -r tests/requirements.txt
# What checks the pages for people who cannot see or point.
[ -d ../../../tests/pages/node_modules/axe-core ] ||
    npm ci --prefix ../../../tests/pages --silent --no-audit --no-fund --ignore-scripts
# Poetry's file names the same packages.
"$venv/bin/python" tests/same.py

say "types of the CI server"
"$venv/bin/python" -m mypy

say "tests of the CI server"
"$venv/bin/python" -m pytest -q "$@"
