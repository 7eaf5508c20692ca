#!/usr/bin/env bash
# Prints the preferred version of something in versions.yaml. Usage: preferred.sh NAME
set -euo pipefail
cd "$(dirname "$0")/.."

awk -v head="$1:" '$0 == head { here = 1 } here && $1 == "preferred:" { print $2; exit }' versions.yaml
