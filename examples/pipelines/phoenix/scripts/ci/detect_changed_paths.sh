#!/bin/sh
# Prints `docs` if only documentation changed since a revision, else `code`.
base=${1:-origin/main}
changed=$(git diff --name-only "$base"...HEAD 2>/dev/null) || { echo code; exit 0; }
[ -n "$changed" ] || { echo code; exit 0; }
echo "$changed" | grep -qvE '\.md$|^docs/' && echo code || echo docs
