#!/usr/bin/env bash
# Builds everything and passes the tests. Installs what is missing on Debian and its relatives, starts
# what the tests need, and stops it after.
set -euo pipefail
cd "$(dirname "$0")/.."

# System programs are not on the path of every user.
PATH="$PATH:/usr/sbin:/sbin"

say() { printf '== %s\n' "$*"; }

# A missing tool is a failure where it cannot be installed, never a skipped test.
need() {
    local program=$1 package=$2
    command -v "$program" >/dev/null 2>&1 && return
    say "installing $package, for $program"
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "error: the tests need \`$program\`; install it" >&2
        exit 1
    fi
    local become=()
    [ "$(id -u)" = 0 ] || become=(sudo)
    if [ -z "${updated:-}" ]; then
        "${become[@]}" apt-get update -q
        updated=1
    fi
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$package"
}

need git git
need cc gcc
need make make
need cmake cmake
need base64 coreutils
# What published orbs call.
need jq jq
need python3 python3
need setsid util-linux
need ssh openssh-client
need docker-registry docker-registry
need skopeo skopeo
# The pages of the CI server are looked at in a real browser.
need chromium chromium
need chromedriver chromium-driver
[ -x /usr/sbin/sshd ] || need sshd openssh-server
need python3 python3
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || need a-module-of-python3 python3-venv
[ -x /bin/busybox ] || [ -x /usr/bin/busybox ] || need busybox busybox-static

command -v cargo >/dev/null 2>&1 || {
    echo "error: the tests need Rust 1.95 or later, with cargo" >&2
    exit 1
}
if ! cargo nextest --version >/dev/null 2>&1; then
    say "installing cargo-nextest"
    cargo install --locked cargo-nextest
fi

# A Docker Engine: the one that answers, else one of our own that ends with this script.
if [ -z "${CI_CORE_DOCKER_HOST:-}" ]; then
    need docker docker.io
    if docker version >/dev/null 2>&1; then
        export CI_CORE_DOCKER_HOST="${DOCKER_HOST:-unix:///var/run/docker.sock}"
    else
        command -v dockerd >/dev/null 2>&1 || need dockerd docker.io
        engine=$(mktemp -d /tmp/ci-core-docker.XXXXXX)
        become=()
        [ "$(id -u)" = 0 ] || become=(sudo)
        say "starting a Docker Engine in $engine"
        "${become[@]}" dockerd --host "unix://$engine/docker.sock" --data-root "$engine/data" \
            --exec-root "$engine/exec" --pidfile "$engine/pid" >"$engine/log" 2>&1 &
        stop_engine() {
            [ -f "$engine/pid" ] && "${become[@]}" kill "$(cat "$engine/pid")" 2>/dev/null
            wait 2>/dev/null
            "${become[@]}" rm -rf "$engine"
        }
        trap stop_engine EXIT
        export CI_CORE_DOCKER_HOST="unix://$engine/docker.sock"
        for _ in $(seq 1 120); do
            docker --host "$CI_CORE_DOCKER_HOST" version >/dev/null 2>&1 && break
            sleep 0.5
        done
        docker --host "$CI_CORE_DOCKER_HOST" version >/dev/null 2>&1 || {
            tail -n 40 "$engine/log" >&2
            echo "error: the Docker Engine did not start; its log is above" >&2
            exit 1
        }
    fi
fi

say "building"
# One set of features for everything, so that nothing is built twice.
cargo build --workspace --all-features --all-targets

say "tests"
cargo nextest run --workspace --all-features

say "documentation tests"
cargo test --workspace --all-features --doc

say "parts of the engine alone, and as other systems build it"
cargo check -p ci-core --no-default-features
for feature in $(cargo metadata --format-version 1 --no-deps |
    jq -r '.packages[] | select(.name == "ci-core") | .features | keys[] | select(. != "default")'); do
    cargo check -q -p ci-core --no-default-features --features "$feature"
done
# Whoever only reads reports builds no runtime.
if cargo tree -p ci-core --no-default-features --features reports -e normal --prefix none | grep -E '^(tokio|petgraph|git2) '; then
    echo "error: the feature \`reports\` alone brings the crates above" >&2
    exit 1
fi
RUSTFLAGS="${RUSTFLAGS:-} --cfg ci_core_portable" \
    cargo check -p ci-core --all-features --target-dir target/portable

say "example programs"
for program in quickstart custom_step custom_executor approval; do
    cargo run -q -p ci-examples --all-features --example "$program" >/dev/null
done

say "the Python module"
./ci-py/tests/run.sh

say "the CI server"
./examples/python/ci_server/tests/run.sh

say "all tests passed"
