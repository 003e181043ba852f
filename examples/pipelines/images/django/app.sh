#!/bin/sh
# Prints a greeting for the name that it is given.
echo "hello, ${1:-nobody}"
