#!/usr/bin/env bash
# Takes down what dev-up.sh has brought up, files included.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Takes down the cluster that scripts/dev-up.sh has brought up: containers, volumes, network, state and credentials, and
the registry of scripts/dev-flux.sh.

usage: scripts/dev-down.sh [TERRAFORM OPTIONS]

What follows is passed to `terraform destroy`: the same as to `terraform apply` before. Without a cluster it does nothing.
What a scripts/dev-up.sh that was killed has left without a state is taken off the engine with the Docker CLI, where there is one.
Variables: TF_BIN, DOCKER_HOST, as for scripts/dev-up.sh.
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac

environment=terraform/environments/dev

# dev-up.sh makes the folder before anything else.
if [ ! -e .build/dev ] && [ ! -e $environment/terraform.tfstate ]; then
  echo "There is nothing to take down: scripts/dev-up.sh has not been run here."
  exit
fi

# The registry of dev-flux.sh: the network goes only when nobody is on it.
if command -v docker >/dev/null; then docker rm --force --volumes inferadb-dev-registry >/dev/null 2>&1 || true; fi

if [ -e $environment/terraform.tfstate ]; then
  # shellcheck source=scripts/dev-terraform.sh
  . scripts/dev-terraform.sh
  dev_terraform get -no-color >/dev/null
  dev_terraform destroy -auto-approve -compact-warnings "$@"
fi

# Terraform forgets what it was making when it was killed. On the engine, all of it bears the environment and the region.
if command -v docker >/dev/null; then
  ours=(--quiet --filter label=inferadb.com/environment=dev --filter label=inferadb.com/region=local)
  docker container ls --all "${ours[@]}" | xargs -r docker container rm --force --volumes >/dev/null
  docker volume ls "${ours[@]}" | xargs -r docker volume rm --force >/dev/null
  docker network ls "${ours[@]}" | xargs -r docker network rm >/dev/null
fi

rm -rf .build/dev $environment/.terraform $environment/.terraform.lock.hcl $environment/.terraform.tfstate.lock.info \
  $environment/terraform.tfstate* $environment/crash.log
