#!/usr/bin/env bash
# Runs a command beside a sandbox of its own, with the variables that lead there.
# Usage: with-sandbox.sh COMMAND …
set -euo pipefail

folder=$(mktemp -d)
sandbox=
finish() {
  if [ -n "$sandbox" ]; then
    kill "$sandbox" 2>/dev/null || true
    wait "$sandbox" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap finish EXIT

target/debug/sandbox --state-dir "$folder" >"$folder/log" 2>&1 &
sandbox=$!
# The first sandbox on a machine installs moto.
for ((waited = 0; waited < 1200; waited++)); do
  [ ! -e "$folder/env.sh" ] || break
  kill -0 "$sandbox" 2>/dev/null || break
  sleep 0.2
done
if [ ! -e "$folder/env.sh" ]; then
  printf 'the sandbox did not start:\n' >&2
  cat "$folder/log" >&2
  exit 1
fi
# shellcheck source=/dev/null
. "$folder/env.sh"
"$@"
