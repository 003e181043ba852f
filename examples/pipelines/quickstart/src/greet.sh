#!/bin/sh
# Greets whoever is named.
greet() {
    printf 'hello, %s\n' "${1:-nobody}"
}

if [ "${GREET_TEST:-}" != 1 ]; then
    greet "$@"
fi
