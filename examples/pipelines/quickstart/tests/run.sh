#!/bin/sh
# Runs every TOTAL-th test, beginning with number INDEX, and prints TAP.
index=$1
total=$2
number=0
failed=0
cd "$(dirname "$0")" || exit 1
for test in test_*.sh; do
    if [ $((number % total)) -eq "$index" ]; then
        if sh "$test"; then
            echo "ok - $test"
        else
            echo "not ok - $test"
            failed=1
        fi
    fi
    number=$((number + 1))
done
exit $failed
