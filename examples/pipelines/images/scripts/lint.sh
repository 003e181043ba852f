# Every script has to be one that a shell understands.
set -eu
for script in scripts/*.sh django/*.sh; do
    sh -n "$script"
    echo "$script is fine"
done
