#!/usr/bin/env bash
# Checks that tools are there and says how to install those that are not.
# Usage: need.sh rust python go terraform terraform-or-tofu …
# Backticks mark names for the reader.
# shellcheck disable=SC2016
set -euo pipefail

missing=0
lacks() {
  printf 'missing: %s\n  needed for: %s\n  to install: %s\n' "$1" "$2" "$3" >&2
  missing=1
}
has() { command -v "$1" >/dev/null 2>&1; }

for tool in "$@"; do
  case $tool in
    rust)
      has cargo || lacks 'Rust (`cargo`)' 'building the provider' \
        'rustup, see https://rustup.rs (rust-toolchain.toml then picks the version by itself)'
      has cc || lacks 'a C compiler (`cc`)' 'building the provider'"'"'s TLS library' \
        'Debian and Ubuntu: `apt-get install build-essential`; Fedora: `dnf install gcc`; macOS: `xcode-select --install`'
      ;;
    python)
      if ! has python3; then
        lacks 'Python 3.10 or later (`python3`)' 'moto, the AWS imitation under the sandbox' \
          'Debian and Ubuntu: `apt-get install python3 python3-venv`; others: https://www.python.org/downloads/'
      elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        lacks "Python 3.10 or later (\`python3\` is $(python3 --version 2>&1))" 'moto, the AWS imitation under the sandbox' \
          'https://www.python.org/downloads/'
      elif ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        lacks 'Python'"'"'s `venv` module' 'installing moto into `.build` only' 'Debian and Ubuntu: `apt-get install python3-venv`'
      fi
      ;;
    go)
      has go || lacks 'Go 1.26 or later (`go`)' 'the tests: OpenTofu and Talos'"'"' own library are built from source' 'https://go.dev/dl/'
      ;;
    terraform)
      has "${TERRAFORM:-terraform}" || lacks 'Terraform (`terraform`)' 'the acceptance tests' \
        'https://developer.hashicorp.com/terraform/install (or name one: `TERRAFORM=/path/to/terraform`)'
      ;;
    terraform-or-tofu)
      if [ -n "${TF_BIN:-}" ]; then
        has "$TF_BIN" || lacks "\`TF_BIN\` (\`$TF_BIN\`)" 'running the example' 'name a Terraform or OpenTofu program, or unset it'
      elif ! has terraform && ! has tofu && [ ! -x .build/bin/tofu ]; then
        lacks 'Terraform or OpenTofu (`terraform` or `tofu`)' 'running the example' \
          'https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install/ (or, with Go: `make tofu`)'
      fi
      ;;
    *)
      printf 'need.sh: no such tool: `%s`\n' "$tool" >&2
      exit 2
      ;;
  esac
done
exit "$missing"
