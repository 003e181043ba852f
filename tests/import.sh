#!/usr/bin/env bash
# Imports every GitHub workflow below a folder, checks that what is written is valid and compiles, and counts what became
# of the steps: `tests/import.sh FOLDER`, for example ~/.cargo/registry/src. `CI` names the program.
set -euo pipefail

folder=${1:?give a folder with workflows}
program=${CI:-$(dirname "$0")/../target/debug/ci}
program=$(realpath -e "$program")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

for target in circleci gitlab; do
    file=.circleci/config.yml
    [ "$target" = circleci ] || file=.gitlab-ci.yml
    counts="$work/counts-$target"
    : > "$counts"
    while IFS= read -r -d '' workflow; do
        project="$work/project"
        rm -rf "$project"
        mkdir -p "$project/.circleci"
        if ! "$program" import github "$workflow" --to "$target" -o "$project/$file" --format json \
            >> "$counts" 2> "$work/said"; then
            echo "$target: not imported: $workflow: $(head -3 "$work/said")"
            bad=$((bad + 1))
            continue
        fi
        for verb in validate compile; do
            if ! "$program" "$verb" "$project" > "$work/said" 2>&1; then
                echo "$target: $verb: $workflow: $(head -5 "$work/said")"
                bad=$((bad + 1))
            fi
        done
    done < <(find "$folder" -path '*/.github/workflows/*' \( -name '*.yml' -o -name '*.yaml' \) -print0 | sort -z)
    [ -s "$counts" ] || continue
    jq -s -r --arg target "$target" '
        (map(.steps.total) | add) as $total
        | (map(.steps.converted) | add) as $converted
        | (map(.steps.listed) | add) as $listed
        | "\($target): \(length) workflows, \($total) steps: \($converted) converted, \($listed) listed, "
            + "\($total - $converted - $listed) lost; \(map(.notes | length) | add) notes"' "$counts"
done
[ "$bad" = 0 ] || { echo "$bad imports are bad"; exit 1; }
