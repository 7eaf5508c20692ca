#!/usr/bin/env bash
# Asks a throw-away API server, etcd behind it, whether it takes all objects and pods of the flux/ tree. Once it did, nothing is asked
# again until something changes that goes into the answer.
set -euo pipefail
cd "$(dirname "$0")/.."

definitions=${INFERADB_SCHEMA_DIR:-../shared/schemas}/crd-manifests
if [ ! -d "$definitions" ]; then
  echo "skipped: make flux-full: there is no $definitions, which has the custom resource definitions (INFERADB_SCHEMA_DIR names another folder)"
  exit
fi
scripts/need.sh rust go

make --silent .build/bin/kustomize
cargo build --locked --workspace --bins
objects=.build/flux-full.json
target/debug/flux-inferadb build --kustomize .build/bin/kustomize --vars flux/bootstrap.yaml --output json >"$objects"

# Tests and programs, what they read besides the objects, and the objects.
files=$(find Makefile Cargo.lock scripts/flux-full.sh versions.yaml acceptance-tests/tools/kubernetes flux/plugins/inferadb/tests/{server_side,support} \
  talos/patches terraform/environments/*/main.tf "$definitions" -type f | LC_ALL=C sort)
key=$({ echo "$files"; git hash-object --no-filters --stdin-paths <<<"$files"; cat "$objects"; } | git hash-object --stdin)

# A part of the tests is no answer for all of them.
unset TEST

passed=.build/flux-full.passed
if [ "$(head -n 1 "$passed" 2>/dev/null)" = "$key" ]; then
  echo 'Nothing has changed since the API server accepted all:'
  tail -n +2 "$passed"
  exit
fi
rm -f "$passed"
said=.build/flux-full.log
make flux-full-tests TEST= 2>&1 | tee "$said"
accepted=$(grep -oE '[a-z0-9-]+: accepted .*' "$said" || true)
if [ "$(grep -c . <<<"$accepted")" -ne "$(find flux/clusters -mindepth 1 -maxdepth 1 -type d | grep -c '')" ]; then
  echo 'make flux-full: not every cluster was asked for' >&2
  exit 1
fi
printf '%s\n%s\n' "$key" "$accepted" >"$passed.new"
mv "$passed.new" "$passed"
