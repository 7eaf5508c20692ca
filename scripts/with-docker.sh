#!/usr/bin/env bash
# Runs a command beside a Docker engine of its own, with the images and the simulator that tests need, and the variables that lead there.
# Where no engine can be started, it says so and runs nothing, or, with --or-without, the command alone.
# Usage: with-docker.sh [--or-without] COMMAND …
set -euo pipefail

or_without=
if [ "$1" = --or-without ]; then
  or_without=1
  shift
fi

engine=acceptance-tests/engine
# Short, since the path of a Unix socket has 108 bytes at most.
folder=$(mktemp -d /tmp/inferadb-docker-XXXXXX)
nodes=
finish() {
  $engine/stop.sh "$folder" || true
  [ -z "$nodes" ] || kill "$nodes" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

started=0
why=$($engine/start.sh "$folder" 2>&1) || started=$?
if [ $started = 3 ] && [ -n "$or_without" ]; then
  INFERADB_TEST_NO_DOCKER=$why "$@"
  exit
elif [ $started = 3 ]; then
  printf 'skipped: Docker: %s\n' "$why"
  exit 0
elif [ $started != 0 ]; then
  printf '%s\n' "$why" >&2
  exit 1
fi

target/debug/container-nodes "$folder/world/nodes.sock" >"$folder/nodes.log" 2>&1 &
nodes=$!
$engine/images.sh "unix://$folder/docker.sock" .build/docker-images

export INFERADB_TEST_DOCKER_HOST="unix://$folder/docker.sock"
export INFERADB_TEST_TALOS_WORLD="$folder/world"
export INFERADB_TEST_PROXY_IMAGE=tests/haproxy:1
export INFERADB_TEST_STORE_IMAGE=tests/versitygw:1
export INFERADB_TEST_TALOS_IMAGE=tests/talos:v1.13.9
export INFERADB_TEST_OLDER_TALOS_IMAGE=tests/talos:v1.12.0
"$@"
