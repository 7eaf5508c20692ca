#!/usr/bin/env bash
# Runs a command beside a Docker engine of its own, with the images and the simulator that tests need, and the variables that lead there.
# Where no engine can be started, it says so and runs nothing.
# Usage: with-docker.sh COMMAND …
set -euo pipefail

engine=acceptance-tests/engine
# Short, since the path of a Unix socket has 108 bytes at most.
folder=$(mktemp -d /tmp/inferadb-docker-XXXXXX)
nodes=
finish() {
  [ -z "$nodes" ] || kill "$nodes" 2>/dev/null || true
  $engine/stop.sh "$folder" || true
  rm -rf "$folder"
}
trap finish EXIT

started=0
why=$($engine/start.sh "$folder" 2>&1) || started=$?
if [ $started = 3 ]; then
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
export INFERADB_TEST_PROXY_IMAGE=tests/haproxy:1
export INFERADB_TEST_STORE_IMAGE=tests/versitygw:1
export INFERADB_TEST_TALOS_IMAGE=tests/talos:v1.13.9
"$@"
