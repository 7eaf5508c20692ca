#!/usr/bin/env bash
# A Docker engine of the tests' own, on a Unix socket in FOLDER: `start.sh FOLDER` starts it and waits until it answers.
# It needs root and `dockerd` (Debian: docker.io and iptables); without, it says so and ends with 3. `stop.sh FOLDER` ends it.
set -euo pipefail

folder=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null || ! command -v runc >/dev/null; then
    echo "no Docker engine can be started here: that takes root, dockerd and runc (Debian: apt-get install docker.io iptables)" >&2
    exit 3
fi

mkdir -p "$folder/world"
TALOS_WORLD=$folder/world setsid dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
    --pidfile "$folder/dockerd.pid" --bridge none --add-runtime "tests=$here/runtime" --default-runtime tests \
    >"$folder/dockerd.log" 2>&1 </dev/null &

for _ in $(seq 300); do
    if docker --host "unix://$folder/docker.sock" info >/dev/null 2>&1; then
        exit 0
    fi
    sleep 0.1
done
tail -20 "$folder/dockerd.log" >&2
echo "dockerd does not answer; its log is $folder/dockerd.log" >&2
exit 1
