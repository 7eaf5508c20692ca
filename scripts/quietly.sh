#!/usr/bin/env bash
# Runs a command and shows what it prints only if it fails.
# Usage: quietly.sh COMMAND …
set -uo pipefail

# A file, not a variable: what a build of minutes prints is readable while it runs.
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
"$@" >"$printed" 2>&1
code=$?
[ "$code" -eq 0 ] || cat "$printed" >&2
exit "$code"
