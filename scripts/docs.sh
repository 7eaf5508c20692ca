#!/usr/bin/env bash
# The pages of docs/ in the registry's layout (index.md, resources/, …), made of the provider's schema, templates/ and examples/.
# Usage: docs.sh write    writes them
#        docs.sh check    fails, and shows how, where they are not what `write` would leave, or an example is not valid
# Backticks mark names for the reader.
# shellcheck disable=SC2016
set -euo pipefail
cd "$(dirname "$0")/.."

provider=${INFERADB_PROVIDER:-target/debug/terraform-provider-inferadb}
scratch=$PWD/.build/docs
rm -rf "$scratch"
mkdir -p "$scratch/provider" "$scratch/configuration" "$scratch/examples"

# The generator looks for providers of the namespace `hashicorp` only; that of a development override is free.
ln -s "$(realpath "$provider")" "$scratch/provider/terraform-provider-inferadb"
cat >"$scratch/cli.tfrc" <<CONFIGURATION
disable_checkpoint = true

provider_installation {
  dev_overrides {
    "hashicorp/inferadb" = "$scratch/provider"
    "inferadb/inferadb"  = "$scratch/provider"
  }
}
CONFIGURATION
echo 'provider "inferadb" {}' >"$scratch/configuration/main.tf"

terraform() {
  env -u TF_WORKSPACE -u TF_CLI_ARGS TF_CLI_CONFIG_FILE="$scratch/cli.tfrc" "${TERRAFORM:-terraform}" "$@"
}
terraform -chdir="$scratch/configuration" providers schema -json >"$scratch/schema.json"

# Given the schema, it neither builds a provider nor looks for Terraform.
tfplugindocs() {
  local command=$1
  shift
  if ! .build/bin/tfplugindocs "$command" --provider-name terraform-provider-inferadb \
    --providers-schema "$scratch/schema.json" "$@" >"$scratch/$command.log" 2>&1; then
    cat "$scratch/$command.log"
    return 1
  fi
}

case ${1:-} in
  write)
    tfplugindocs generate --rendered-provider-name InferaDB --rendered-website-dir docs
    ;;
  check)
    # Over a copy of all of docs/, so that what is no page of the generator's is seen to be left alone.
    cp -r docs "$scratch/docs"
    tfplugindocs generate --rendered-provider-name InferaDB --rendered-website-dir "${scratch#"$PWD/"}/docs"
    if ! diff --recursive --unified --new-file docs "$scratch/docs"; then
      printf '\ndocs/ is not what the schema, templates/ and examples/ give (`-` stands there, `+` they give): run `make docs`.\n'
      exit 1
    fi
    tfplugindocs validate
    # Together they are one configuration: they refer to one another.
    cp examples/provider/provider.tf "$scratch/examples"
    for example in examples/resources/*/*.tf; do
      cp "$example" "$scratch/examples/$(basename "$(dirname "$example")")-$(basename "$example")"
    done
    terraform -chdir="$scratch/examples" validate -no-color >"$scratch/validate-examples.log" 2>&1 ||
      { cat "$scratch/validate-examples.log" && exit 1; }
    ;;
  *)
    printf 'usage: docs.sh write | check\n' >&2
    exit 2
    ;;
esac
