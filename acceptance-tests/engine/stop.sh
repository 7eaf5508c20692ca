#!/usr/bin/env bash
# Ends the engine that `start.sh FOLDER` has started, with all that runs in it.
set -euo pipefail

folder=$1
[ -e "$folder/dockerd.pid" ] || exit 0
process=$(cat "$folder/dockerd.pid")
docker --host "unix://$folder/docker.sock" ps -aq | xargs -r docker --host "unix://$folder/docker.sock" rm -fv >/dev/null
kill "$process"
while kill -0 "$process" 2>/dev/null; do sleep 0.1; done
