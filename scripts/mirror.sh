#!/usr/bin/env bash
# Lays out this checkout's provider as a registry would, so that `terraform init` finds it beside providers of others.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Builds the provider, puts it where `terraform init` and `tofu init` find it, and writes the CLI configuration that says so.

usage: scripts/mirror.sh [FOLDER]       FOLDER is .build/mirror unless given

Variables: INFERADB_PROVIDER  a provider that was built already, instead of building one
Prints what to export. A provider that was built anew has another checksum: see terraform/README.md.
TEXT
}

case ${1:-} in -h | --help) usage && exit ;; esac
folder=${1:-.build/mirror}

provider=${INFERADB_PROVIDER:-}
if [ -z "$provider" ]; then
  scripts/need.sh rust
  echo "Building the provider (the first build takes some minutes)" >&2
  cargo build --quiet --locked --workspace --bins
  provider=${CARGO_TARGET_DIR:-target}/debug/terraform-provider-inferadb
fi

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
case $(uname -s) in Darwin) system=darwin ;; *) system=linux ;; esac
case $(uname -m) in arm64 | aarch64) processor=arm64 ;; *) processor=amd64 ;; esac

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
for registry in registry.terraform.io registry.opentofu.org; do
  package=$folder/$registry/inferadb/inferadb/$version/${system}_$processor
  program=$package/terraform-provider-inferadb_v$version
  mkdir -p "$package"
  # A new file in the old one's place: one that runs must not be overwritten.
  cp "$provider" "$program.new"
  mv -f "$program.new" "$program"
done

# Without a host, the address is that of the registry whose program reads it. All others come from where they always do.
cat >"$folder/cli.tfrc" <<TEXT
provider_installation {
  filesystem_mirror {
    path    = "$folder"
    include = ["inferadb/inferadb"]
  }
  direct {
    exclude = ["inferadb/inferadb"]
  }
}
TEXT

printf 'export TF_CLI_CONFIG_FILE=%q\n' "$folder/cli.tfrc"
