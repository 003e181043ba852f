#!/usr/bin/env bash
# Makes the Python environment with the programs of other makers that the end-to-end tests ask: a mail
# server, a client of the Model Context Protocol, and a verifier of signed webhooks.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/python/e2e
packages="aiosmtpd==1.4.6 mcp==2.3.0 standardwebhooks==1.1.0"
[ "$(cat "$venv/packages" 2>/dev/null)" = "$packages" ] && exit
rm -rf "$venv"
"${PYTHON:-python3}" -m venv "$venv"
# shellcheck disable=SC2086
"$venv/bin/pip" install -q --disable-pip-version-check $packages
echo "$packages" > "$venv/packages"
