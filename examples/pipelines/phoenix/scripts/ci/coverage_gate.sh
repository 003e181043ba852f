#!/bin/sh
# Fails if fewer than MINIMUM percent of the lines in an excoveralls.json are covered.
set -eu
minimum=$1 file=$2
tr -d ' \n' <"$file" | tr '[' '\n' | sed -n '/^[0-9n]/{s/\].*//;p;}' | tr ',' '\n' |
    awk -v minimum="$minimum" '
        /^[0-9]+$/ { total++; if ($1 > 0) covered++ }
        END {
            percent = total ? 100 * covered / total : 0
            printf "covered: %d of %d lines, %.1f%%, at least %s%%\n", covered, total, percent, minimum
            exit !(percent >= minimum)
        }'
