# Names that several scripts share.

# A tag is its own version; a branch has one that moves.
version=${CI_COMMIT_TAG:-$CI_COMMIT_REF_SLUG}

# What the tag of a platform ends with.
suffix() {
    case $1 in
        linux/amd64) echo "-amd64" ;;
        linux/arm64) echo "-arm64" ;;
        linux/arm/v7) echo "-arm-v7" ;;
        *) echo "no such platform: $1" >&2; return 1 ;;
    esac
}

# The platforms that are switched on.
platforms() {
    [ "$BUILD_AMD64" = true ] && echo linux/amd64
    [ "$BUILD_ARM64" = true ] && echo linux/arm64
    [ "$BUILD_ARM_V7" = true ] && echo linux/arm/v7
    return 0
}
