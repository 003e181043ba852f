#!/usr/bin/env bash
# Builds a wheel, installs it into an empty virtual environment and passes the tests of the Python
# module there. CI_CORE_TEST_IMAGE names the image for the tests in containers; without it, one is made.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }

target=$(cd .. && pwd)/target
python=${PYTHON:-python3}
tools=$target/python/tools
venv=$target/python/venv

say "Python tools"
[ -x "$tools/bin/maturin" ] || {
    "$python" -m venv "$tools"
    "$tools/bin/pip" install -q --disable-pip-version-check "maturin>=1.16,<2"
}
rm -rf "$venv" "$target/python/wheels"
"$python" -m venv "$venv"

say "the wheel"
"$tools/bin/maturin" build --quiet --profile dev --interpreter "$venv/bin/python" --out "$target/python/wheels"
"$venv/bin/pip" install -q --disable-pip-version-check --no-index "$target"/python/wheels/*.whl

if [ -z "${CI_CORE_TEST_IMAGE:-}" ] && [ -n "${CI_CORE_DOCKER_HOST:-}" ]; then
    say "an image of busybox for the tests in containers"
    root=$(mktemp -d)
    mkdir -p "$root/bin" "$root/tmp"
    busybox=$(command -v busybox)
    cp "$busybox" "$root/bin/busybox"
    for applet in sh cat chmod chown id mkdir env sleep test echo ps kill; do
        ln -s busybox "$root/bin/$applet"
    done
    export CI_CORE_TEST_IMAGE="ci-core-python-test:$$"
    tar -C "$root" -c . | docker --host "$CI_CORE_DOCKER_HOST" import --change 'ENV PATH=/bin' --change 'LABEL ci-core-test=python' - \
        "$CI_CORE_TEST_IMAGE" >/dev/null
    trap 'docker --host "$CI_CORE_DOCKER_HOST" rmi -f "$CI_CORE_TEST_IMAGE" >/dev/null; rm -rf "$root"' EXIT
fi

# The tools for tests come after the wheel: it has to work without any other package.
"$venv/bin/python" -c 'import ci_core; assert ci_core.Workflow("w").job("a", "true").run().is_success'
"$venv/bin/pip" install -q --disable-pip-version-check pytest mypy

# Away from the sources, so that the package is the installed one.
copy=$(mktemp -d)
cp -r tests pyproject.toml stubtest-allowlist.txt ../README.md "$copy"
cd "$copy"

say "types"
"$venv/bin/python" -m mypy --strict -p ci_core
"$venv/bin/python" -m mypy --strict tests
"$venv/bin/python" -m mypy.stubtest ci_core --allowlist stubtest-allowlist.txt

say "tests"
"$venv/bin/python" -m pytest -q --doctest-modules --pyargs ci_core tests
cd / && rm -rf "$copy"
