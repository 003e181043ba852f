# Copies the images of a tag to where releases are, and lets `latest` follow if it should. The first
# service decides for all of them.
set -eu
images=
for service in $SERVICES; do
    ci image copy "$CI_REGISTRY_IMAGE/$service:$CI_COMMIT_TAG" "$RELEASE_REGISTRY_IMAGE/$service:$CI_COMMIT_TAG"
    images="$images --image $RELEASE_REGISTRY_IMAGE/$service"
done
# Unquoted, for there are several.
ci latest $images --tag "$CI_COMMIT_TAG"
