#!/usr/bin/env bash
# Starts Flux in a cluster: flux-operator, then the FluxInstance of the cluster's folder, which syncs all the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Starts Flux in the cluster that kubectl's current context names, unless Flux there syncs another folder already. A second run changes
nothing; after a change of flux_operator in versions.yaml, it upgrades the operator.

usage: scripts/flux-bootstrap.sh CLUSTER

CLUSTER is a folder of flux/clusters.
Variables: SOPS_AGE_KEY_FILE  the private age key that decrypts this cluster's secrets (`age-keygen`); without it, a cluster
                              that has none gets an empty Secret `sops-age`, which serves as long as nothing is encrypted
           GIT_USERNAME, GIT_PASSWORD
                              a token that reads the Git repository, and writes it where image updates are pushed from
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac
cluster=${1:-}
cluster=${cluster%/}
folder=flux/clusters/$cluster
if [ -z "$cluster" ] || [ ! -d "$folder" ]; then
  usage >&2
  echo "There is no cluster \`$cluster\`; there are: $(cd flux/clusters && echo *)" >&2
  exit 2
fi
command -v kubectl >/dev/null || { echo "missing: kubectl (https://kubernetes.io/docs/tasks/tools/)" >&2 && exit 1; }
command -v git >/dev/null || { echo "missing: git, which kubectl reads flux-operator's manifests with (https://git-scm.com/downloads)" >&2 && exit 1; }
in_flux() { kubectl --namespace flux-system "$@"; }

# The wrong context would give this cluster's settings and secrets to another one.
context=$(kubectl config current-context)
server=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
echo "Cluster $cluster is that of the context \`$context\`: $server"
definition=$(kubectl get customresourcedefinition fluxinstances.fluxcd.controlplane.io --ignore-not-found --output name)
synced=
if [ -n "$definition" ]; then
  synced=$(in_flux get fluxinstance flux --ignore-not-found --output 'jsonpath={.spec.sync.path}')
fi
synced=${synced#./}
if [ -n "$synced" ] && [ "${synced%/}" != "$folder" ]; then
  echo "Flux syncs $synced there, not $folder: nothing was changed. Choose the context of $cluster with \`kubectl config use-context\`." >&2
  exit 1
fi

operator=$(scripts/preferred.sh flux_operator)
echo "Installing flux-operator $operator"
kubectl apply --server-side --force-conflicts --kustomize "https://github.com/controlplaneio-fluxcd/flux-operator/config/default?ref=$operator"
in_flux rollout status deployment/flux-operator --timeout 5m

if [ -n "${SOPS_AGE_KEY_FILE:-}" ]; then
  in_flux create secret generic sops-age --from-file=age.agekey="$SOPS_AGE_KEY_FILE" --dry-run=client --output yaml | in_flux apply --server-side --filename -
elif ! in_flux get secret sops-age >/dev/null 2>&1; then
  in_flux create secret generic sops-age
fi

pull_secret=$(awk '$1 == "pullSecret:" { print $2 }' "$folder/flux-system/flux-instance.yaml")
if [ -n "$pull_secret" ]; then
  if [ -n "${GIT_PASSWORD:-}" ]; then
    # Not as an argument, which everybody on the machine can read.
    printf '%s' "$GIT_PASSWORD" |
      in_flux create secret generic "$pull_secret" --from-literal=username="${GIT_USERNAME:-git}" --from-file=password=/dev/stdin \
        --dry-run=client --output yaml | in_flux apply --server-side --filename -
  elif ! in_flux get secret "$pull_secret" >/dev/null 2>&1; then
    echo "The cluster has no Secret \`$pull_secret\` to read the Git repository with: set GIT_PASSWORD to a token, and run this again." >&2
    exit 1
  fi
fi

# Flux finds both in the folder again, and keeps them from then on.
kubectl apply --server-side --force-conflicts --filename "$folder/cluster-settings.yaml" --filename "$folder/flux-system/flux-instance.yaml"
in_flux wait fluxinstance/flux --for condition=Ready --timeout 10m
