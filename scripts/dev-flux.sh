#!/usr/bin/env bash
# Gives the cluster of dev-up.sh this checkout's tree: as an OCI artifact in a registry beside its nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Packs flux/ as it stands in this checkout, committed or not, pushes it to a registry in a container beside the nodes, and lets Flux
apply it. The first run starts the registry and Flux; each further one brings what has changed since. Run scripts/dev-up.sh first.

usage: scripts/dev-flux.sh

Variables: DEV_REGISTRY_PORT  the port of 127.0.0.1 that the registry has (5050); another one makes the registry again
The engine has to be on this machine. scripts/dev-down.sh takes the registry away, too.
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac

for tool in docker kubectl flux git python3; do
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
version=$(scripts/preferred.sh registry)
# Near the end of the half that the engine gives addresses from, which it does from the start on: whoever joins the network without
# an address would have to come after thousands of others to get this one. The lower half is the nodes'.
instance=flux/clusters/dev-local/flux-system/flux-instance.yaml
address=$(sed -nE 's|^ *url: oci://([0-9.]+):5000/.*|\1|p' "$instance")
subnet=$(docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$network")
if ! python3 -c 'import ipaddress, sys; sys.exit(ipaddress.ip_address(sys.argv[1]) not in ipaddress.ip_network(sys.argv[2]))' "$address" "$subnet"; then
  echo "The nodes' network is $subnet, which the registry's address $address is not in: change \`url\` in $instance to one near the network's end." >&2
  exit 1
fi
wanted=$address,$port,$version
if [ -z "$(docker ps --quiet --filter "name=^$registry\$" --filter "label=inferadb.com/dev-registry=$wanted")" ]; then
  docker rm --force --volumes "$registry" >/dev/null 2>&1 || true
  docker run --detach --name "$registry" --label "inferadb.com/dev-registry=$wanted" --restart unless-stopped --network "$network" \
    --ip "$address" --publish "127.0.0.1:$port:5000" "registry:$version" >/dev/null
fi

packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
tar -c --exclude 'flux/plugins' --exclude '*.md' flux | tar -x -C "$packed"
flux push artifact "oci://127.0.0.1:$port/inferadb-deploy:dev" --insecure-registry --path "$packed" \
  --source "$(git config --get remote.origin.url || echo "$PWD")" --revision "$(git branch --show-current)@sha1:$(git rev-parse HEAD)"

scripts/flux-bootstrap.sh dev-local
flux reconcile kustomization flux-system --with-source
flux get kustomizations
