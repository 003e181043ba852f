# Merges the images of all platforms into one for each service.
set -eu
. scripts/names.sh
for service in $SERVICES; do
    image=$CI_REGISTRY_IMAGE/$service
    sources=
    for platform in $(platforms); do
        sources="$sources $image:$version$(suffix "$platform")"
    done
    # Unquoted, for there are several.
    ci image merge --tag "$image:$version" $sources
done
