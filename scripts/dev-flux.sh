#!/usr/bin/env bash
# Gives the cluster of dev-up.sh this checkout's tree: as an OCI artifact in a registry beside its nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Packs flux/ as it stands in this checkout, committed or not, pushes it to a registry in a container beside the nodes, and lets Flux
apply it. The first run starts the registry and Flux; each further one brings what has changed since. Run scripts/dev-up.sh first.

usage: scripts/dev-flux.sh

Variables: DEV_REGISTRY_PORT  the port of 127.0.0.1 that the registry has (5050)
The engine has to be on this machine. scripts/dev-down.sh takes the registry away, too.
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac

for tool in docker kubectl flux; do
  command -v "$tool" >/dev/null || { echo "missing: $tool (docs/getting-started.md says where to get it)" >&2 && exit 1; }
done
export KUBECONFIG=$PWD/.build/dev/kubeconfig
network=inferadb.dev.local
if [ ! -e "$KUBECONFIG" ] || ! docker network inspect "$network" >/dev/null 2>&1; then
  echo "There is no cluster: run scripts/dev-up.sh first." >&2
  exit 1
fi

registry=inferadb-dev-registry
port=${DEV_REGISTRY_PORT:-5050}
version=$(awk '/^registry:/ { here = 1 } here && $1 == "preferred:" { print $2; exit }' versions.yaml)
# The address that the cluster pulls from is one that the engine gives to nobody by itself.
address=$(sed -nE 's|^ *url: oci://([0-9.]+):5000/.*|\1|p' flux/clusters/dev-local/flux-system/flux-instance.yaml)
if [ -z "$(docker ps --quiet --filter "name=^$registry\$")" ]; then
  docker rm --force "$registry" >/dev/null 2>&1 || true
  docker run --detach --name "$registry" --restart unless-stopped --network "$network" --ip "$address" \
    --publish "127.0.0.1:$port:5000" "registry:$version" >/dev/null
fi

packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
tar -c --exclude 'flux/plugins' --exclude '*.md' flux | tar -x -C "$packed"
flux push artifact "oci://127.0.0.1:$port/inferadb-deploy:dev" --insecure-registry --path "$packed" \
  --source "$(git config --get remote.origin.url || echo "$PWD")" --revision "$(git branch --show-current)@sha1:$(git rev-parse HEAD)"

scripts/flux-bootstrap.sh dev-local
flux reconcile kustomization flux-system --with-source
flux get kustomizations
