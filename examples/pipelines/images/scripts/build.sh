# Builds all images for one platform and pushes them as VERSION-PLATFORM.
set -eu
platform=$1
. scripts/names.sh
VERSION=$version SUFFIX=$(suffix "$platform")
export VERSION SUFFIX
ci bake --push --set "*.platform=$platform"
