# shellcheck shell=bash
# What dev-up.sh and dev-down.sh share: `dev_terraform` runs Terraform or OpenTofu in terraform/environments/dev with the provider of
# this checkout, and `$dev` is the folder for what they write. Run from the repository's root.

dev=$PWD/.build/dev
mkdir -p "$dev"

dev_tool=${TF_BIN:-}
for candidate in terraform tofu "$PWD/.build/bin/tofu"; do
  [ -n "$dev_tool" ] || dev_tool=$(command -v "$candidate" || true)
done
if [ -z "$dev_tool" ]; then
  echo "missing: Terraform or OpenTofu (https://developer.hashicorp.com/terraform/install, https://opentofu.org/docs/intro/install/)" >&2
  exit 1
fi
command -v python3 >/dev/null || { echo "missing: python3, which takes the credentials out of Terraform's output" >&2 && exit 1; }

# A CLI configuration of the caller's own says where the provider comes from; else it is built here.
if [ -z "${TF_CLI_CONFIG_FILE:-}" ]; then
  scripts/need.sh rust
  echo "Building the provider (the first build takes some minutes)"
  cargo build --quiet --locked --workspace --bins
  export TF_CLI_CONFIG_FILE=$dev/cli.tfrc
  cat >"$TF_CLI_CONFIG_FILE" <<TEXT
disable_checkpoint = true
provider_installation {
  dev_overrides {
    "inferadb/inferadb" = "$PWD/target/debug"
  }
}
TEXT
fi

dev_terraform() {
  TF_IN_AUTOMATION=1 "$dev_tool" -chdir=terraform/environments/dev "$@"
}
