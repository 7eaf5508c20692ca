#!/usr/bin/env bash
# Brings up the environment `dev`: a Talos cluster in containers on this machine's Docker engine.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Brings up a cluster on this machine's Docker engine: terraform/environments/dev, applied. A second run changes nothing.

usage: scripts/dev-up.sh [TERRAFORM OPTIONS]

What follows is passed to `terraform apply`, for example `-var talos_version=v1.13.9`.
Variables: TF_BIN         terraform or tofu (the first that is there)
           DOCKER_HOST    another engine than that of the Docker CLI's current context
Writes .build/dev/kubeconfig and .build/dev/talosconfig. scripts/dev-down.sh takes all of it away.
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac

# shellcheck source=scripts/dev-terraform.sh
. scripts/dev-terraform.sh

dev_terraform get -no-color >/dev/null
dev_terraform apply -auto-approve -compact-warnings "$@"

umask 077
dev_terraform output -json kubeconfigs | python3 -c 'import json, sys; print(json.load(sys.stdin)["local"], end="")' >"$dev/kubeconfig"
dev_terraform output -json talosconfigs | python3 -c 'import json, sys; print(json.load(sys.stdin)["local"], end="")' >"$dev/talosconfig"

cat <<TEXT

The cluster is up:

  export KUBECONFIG=$dev/kubeconfig TALOSCONFIG=$dev/talosconfig
  kubectl get --raw /readyz

scripts/dev-flux.sh lets Flux apply this checkout's flux/ to it.
TEXT
