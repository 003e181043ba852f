#!/usr/bin/env bash
# Looks at pages of runs in a headless Chromium: a run of the quickstart, and told runs of 200 and 2,000
# jobs and with hostile names. Needs chromium, node and npm; the program `ci` is built.
set -euo pipefail
cd "$(dirname "$0")"
top=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$top/target}
dir=$(mktemp -d /tmp/ci-core-pages.XXXXXX)
trap 'rm -rf "$dir"' EXIT

npm ci --silent --no-audit --no-fund --ignore-scripts
CI_STORE="$dir/runs.db" CI_STORAGE="$dir/storage" "$target/debug/ci" run \
    "$top/examples/pipelines/quickstart" --quiet --executor local --report "$dir/quickstart.html"
(cd "$top" && CI_CORE_PAGES="$dir" cargo nextest run --workspace --all-features --lib \
    -E 'test(the_page_of_200_jobs_is_below_500_kb)')
node check.mjs "$@" "$dir"/*.html
