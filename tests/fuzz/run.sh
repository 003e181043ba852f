#!/usr/bin/env bash
# Fuzzes on stable Rust, without cargo-fuzz and without a sanitizer: `run.sh SECONDS [TARGET...]` gives
# each target, or each that is named, so many seconds. Inputs that break a target stay in `artifacts/`,
# those that reach something new in `corpus/`. Needs a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?how many seconds each target gets}
shift
targets=("$@")
if [ $# = 0 ]; then
    for wrapper in fuzz_targets/*.rs; do
        targets+=("$(basename "$wrapper" .rs)")
    done
fi

# What cargo-fuzz sets to have libFuzzer see which code an input reaches, without the sanitizer, which
# alone needs a nightly compiler.
flags="--cfg fuzzing -Cpasses=sancov-module"
for flag in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$flag"
done
# A target triple of its own keeps the flags from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="$flags" CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo build --bins --target "$host" --target-dir target

failed=()
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    "target/$host/debug/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target" || failed+=("$target")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "error: these targets broke: ${failed[*]}" >&2
    exit 1
fi
