#!/usr/bin/env bash
# Builds everything and passes the tests. Installs what is missing on Debian and its relatives, starts
# what the tests need, and stops it after. `--all` also runs the second lane: two engines as a swarm, 200
# commits on a step runner that crashes and hangs, with the CI server killed ten times, and the engine as
# Windows and macOS compile it.
set -euo pipefail
cd "$(dirname "$0")/.."

# System programs are not on the path of every user.
PATH="$PATH:/usr/sbin:/sbin"

all=
[ "${1:-}" != --all ] || all=1

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
need rsync rsync
need docker-registry docker-registry
# Engines of the tests' own: a swarm, one that is restarted, one behind TLS.
need docker docker.io
need dockerd docker.io
need unshare util-linux
need nsenter util-linux
need openssl openssl
need skopeo skopeo
need docker-compose docker-compose
# A real database beside jobs.
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgres postgresql
# The pages of the CI server and of runs are looked at in a real browser.
need chromium chromium
need chromedriver chromium-driver
[ -x /usr/sbin/sshd ] || need sshd openssh-server
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || need a-module-of-python3 python3-venv
# What drives it there.
need node nodejs
need npm npm
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

# What speaks for EC2 in the tests, and the tools that the example of a pipeline on EC2 calls.
tools=$PWD/target/aws-tools
pins="moto[server,ec2]==5.2.5 awscli==1.46.3 pytest==9.2.0"
if [ "$(cat "$tools/pins" 2>/dev/null)" != "$pins" ]; then
    say "installing $pins"
    rm -rf "$tools"
    python3 -m venv "$tools"
    # Each is a word of its own.
    # shellcheck disable=SC2086
    "$tools/bin/pip" install -q --disable-pip-version-check $pins
    echo "$pins" >"$tools/pins"
fi
export CI_CORE_AWS_TOOLS=$tools/bin

say "Python packages that tests ask"
./tests/python.sh

say "building"
# One set of features for everything, so that nothing is built twice.
cargo build --workspace --all-features --all-targets

say "tests"
cargo nextest run --workspace --all-features

if [ -n "$all" ]; then
    need ip iproute2
    say "two engines as a swarm"
    cargo nextest run --workspace --all-features --run-ignored only -E 'binary(swarm_nodes)'
fi

say "documentation tests"
cargo test --workspace --all-features --doc

say "parts of the engine alone, and as other systems build it"
cargo check -p ci-core --no-default-features
for feature in $(cargo metadata --format-version 1 --no-deps |
    jq -r '.packages[] | select(.name == "ci-core") | .features | keys[] | select(. != "default")'); do
    cargo check -q -p ci-core --no-default-features --features "$feature"
done
cargo check -q -p ci-report --no-default-features
# Whoever only reads reports builds no runtime.
if cargo tree -p ci-core --no-default-features --features reports -e normal --prefix none | grep -E '^(tokio|petgraph|git2) '; then
    echo "error: the feature \`reports\` alone brings the crates above" >&2
    exit 1
fi
# The targets of the fuzzer, which are a workspace of their own.
cp Cargo.lock tests/fuzz/Cargo.lock
cargo check --manifest-path tests/fuzz/Cargo.toml --no-default-features --target-dir target/fuzz
RUSTFLAGS="${RUSTFLAGS:-} --cfg ci_core_portable" \
    cargo check -p ci-core --all-features --target-dir target/portable

if [ -n "$all" ]; then
    need rustup rustup
    for target in x86_64-pc-windows-gnu aarch64-apple-darwin; do
        say "the engine and its local executor for $target"
        rustup target add "$target"
        cargo check -p ci-core --no-default-features --features local --target "$target" \
            --target-dir target/portable
    done
fi

say "example programs"
for program in quickstart custom_step custom_executor approval; do
    # Already built, with the features of everything: another choice of them would build much again.
    "${CARGO_TARGET_DIR:-target}/debug/examples/$program" >/dev/null
done

say "pages of runs in a browser"
./tests/pages/run.sh

say "the Python module"
./ci-py/tests/run.sh

say "the CI server"
./examples/python/ci_server/tests/run.sh ${all:+--commits 200}

say "all tests passed"
