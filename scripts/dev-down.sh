#!/usr/bin/env bash
# Takes down what dev-up.sh has brought up, files included.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Takes down the cluster that scripts/dev-up.sh has brought up: containers, volumes, network, state and credentials.

usage: scripts/dev-down.sh [TERRAFORM OPTIONS]

What follows is passed to `terraform destroy`: the same as to `terraform apply` before. Without a cluster it does nothing.
Variables: TF_BIN, DOCKER_HOST, as for scripts/dev-up.sh.
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac

if [ ! -e terraform/environments/dev/terraform.tfstate ]; then
  echo "There is nothing to take down: terraform/environments/dev has no state."
  exit
fi

# shellcheck source=scripts/dev-terraform.sh
. scripts/dev-terraform.sh

dev_terraform get -no-color >/dev/null
dev_terraform destroy -auto-approve -compact-warnings "$@"
rm -rf "$dev" terraform/environments/dev/.terraform terraform/environments/dev/terraform.tfstate*
