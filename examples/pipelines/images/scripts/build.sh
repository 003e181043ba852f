# Builds all images for one platform and pushes them as VERSION-PLATFORM. With E2C_USAGE=true those for
# other processors are built on a rented machine that has them, else with the emulation of this one.
set -eu
platform=$1
. scripts/names.sh
VERSION=$version SUFFIX=$(suffix "$platform")
export VERSION SUFFIX
if [ "${E2C_USAGE:-false}" = true ] && [ "$platform" != linux/amd64 ]; then
    # Also a build that fails gives the machine back.
    trap 'ci e2c cleanup; ci e2c teardown' EXIT
    # What the bake file asks for, besides CI_REGISTRY*, which the machine is told anyway.
    export E2C_PASS="VERSION SUFFIX BASE ${E2C_PASS:-}"
    ci e2c setup
    ci e2c build --platform="$platform" --target=all --bake-file=docker-bake.hcl
    exit
fi
ci bake --push --set "*.platform=$platform"
