#!/usr/bin/env bash
# Ends the engine that `start.sh FOLDER` has started, with all that runs in it.
set -euo pipefail

folder=$1
[ -e "$folder/dockerd.pid" ] || exit 0
process=$(cat "$folder/dockerd.pid")
docker() { command docker --host "unix://$folder/docker.sock" "$@"; }

# A container that ends just now, and is started again, cannot be removed in that moment.
for _ in $(seq 50); do
    mapfile -t left < <(docker ps -aq)
    [ ${#left[@]} -gt 0 ] || break
    docker rm -fv "${left[@]}" >/dev/null 2>&1 || sleep 0.1
done
# A bridge outlives its engine, and would answer for the addresses of the next one's networks.
docker network prune --force >/dev/null || true
kill "$process"
while kill -0 "$process" 2>/dev/null; do sleep 0.1; done
