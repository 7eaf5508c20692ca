# One command a task; each sets up what it needs and names what it cannot set up.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Commands here bring their own settings for Terraform, or need none: whose machine it is makes no difference.
unexport TF_CLI_CONFIG_FILE

BUILD := .build
TOFU  := $(BUILD)/bin/tofu
# Talos' own library, asked by tests what it makes of machine configs: of the preferred version, and of the newest.
MACHINERY := $(BUILD)/bin/machinery $(BUILD)/bin/machinery-v1.14

# The registry's own generator of provider documentation.
TFPLUGINDOCS := $(BUILD)/bin/tfplugindocs

TERRAFORM_DOCS := $(BUILD)/bin/terraform-docs
TFLINT := $(BUILD)/bin/tflint
# The kustomize that Flux links, and what Flux's own controller makes of a Flux Kustomization.
KUSTOMIZE := $(BUILD)/bin/kustomize
FLUX_ORACLE := $(BUILD)/bin/flux-oracle
# The helm whose library Flux links.
HELM := $(BUILD)/bin/helm
# The API server that `make flux-full` asks, its etcd, and kubectl: not among the tools, as nothing else needs them and they take minutes.
KUBE_APISERVER := $(BUILD)/bin/kube-apiserver
KUBECTL := $(BUILD)/bin/kubectl
ETCD := $(BUILD)/bin/etcd
# What people use beside `flux inferadb`, for `make bench` alone.
FLATE := $(BUILD)/bin/flate
# What Kubernetes' own API server makes of a custom resource.
CRD_ORACLE := $(BUILD)/bin/crd-oracle
# Cilium's chart, rendered.
CILIUM := $(BUILD)/cilium.yaml

# Test programs that `cargo test` alone leaves out, as they need Terraform, a sandbox or an API server.
ON_DEMAND := --test server_side --test acceptance --test terraform_tree --test dev_environment --test abandoned --test docker_life --test whole_life

# Downloads and warnings of Go's; shown where a build fails.
GO_BUILD := $(CURDIR)/scripts/quietly.sh go build

export TALOS_MACHINERY_CLI       := $(CURDIR)/$(BUILD)/bin/machinery
export TALOS_MACHINERY_CLI_V1_14 := $(CURDIR)/$(BUILD)/bin/machinery-v1.14
export KUSTOMIZE_CLI             := $(CURDIR)/$(KUSTOMIZE)
export FLUX_ORACLE_CLI           := $(CURDIR)/$(FLUX_ORACLE)
export HELM_CLI                  := $(CURDIR)/$(HELM)
export KUBE_APISERVER_CLI        := $(CURDIR)/$(KUBE_APISERVER)
export KUBECTL_CLI               := $(CURDIR)/$(KUBECTL)
export ETCD_CLI                  := $(CURDIR)/$(ETCD)
export CRD_ORACLE_CLI            := $(CURDIR)/$(CRD_ORACLE)

.PHONY: help quickstart sandbox test bench fmt fmt-check build lint lint-rust lint-terraform lint-shell unit cloud-lives docker-lives acceptance flux flux-full flux-full-tests plugin-release docs docs-check module-docs cilium cloud-schemas mirror tools tofu need-quickstart clean

help: ## Lists the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

quickstart: need-quickstart ## From nothing to a healthy cluster and back, against a cloud on this machine (KEEP=1: leave it standing)
	@echo "Building the provider and the sandbox: some minutes the first time, and AWS' SDK is most of it"
	@cargo build --locked --workspace --bins
	@KEEP='$(KEEP)' target/debug/quickstart

sandbox: need-quickstart ## The cloud on this machine alone, until Ctrl-C: point a Terraform of your own at it
	@cargo build --locked --workspace --bins
	@target/debug/sandbox

test: ## Everything that CI runs: formatting, build, clippy, unit tests, acceptance tests with Terraform and OpenTofu
	@scripts/test.sh

fmt: ## Formats all sources
	cargo fmt --all
	@if command -v terraform >/dev/null; then terraform fmt -recursive examples terraform; else tofu fmt -recursive examples terraform; fi

fmt-check: ## Fails where `make fmt` would change something
	cargo fmt --all --check
	@if command -v terraform >/dev/null; then terraform fmt -check -diff -recursive examples terraform; else $(TOFU) fmt -check -diff -recursive examples terraform; fi

# Always the whole workspace: another selection of crates has other features, and dependencies would be built again for it.
build: ## Builds all crates and all test programs
	cargo build --locked --workspace --all-targets
	cargo build --locked --workspace $(ON_DEMAND)

lint: lint-rust lint-terraform lint-shell ## clippy, tflint and shellcheck, warnings as errors

lint-rust:
	@echo "clippy checks all crates anew, those of others too, as a build leaves it nothing to use: some minutes the first time"
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo clippy --locked --workspace $(ON_DEMAND) -- --deny warnings

lint-terraform: $(TFLINT)
	@cd terraform && $(CURDIR)/$(TFLINT) --recursive --config "$$PWD/.tflint.hcl" --minimum-failure-severity=notice

lint-shell:
	@if command -v shellcheck >/dev/null; then shellcheck -x scripts/*.sh acceptance-tests/engine/*.sh acceptance-tests/tests/flux_tree/stand-in/* .ci/run; \
	  else echo "skipped: shellcheck: it is not installed (Debian and Ubuntu: apt-get install shellcheck)"; fi

unit: tools ## Tests of the crates and of the sandbox (TEST=name: only those)
	cargo test --locked --workspace --no-fail-fast $(TEST)

cloud-lives: ## Tests of the cloud crate that make and remove all of it in a sandbox (TEST=name: only those)
	@scripts/need.sh rust python
	cargo build --locked --workspace --bins
	scripts/with-sandbox.sh cargo test --locked --workspace --no-fail-fast --test abandoned --test whole_life $(TEST)

docker-lives: tofu ## Tests of the cloud crate and of the environment `dev` on a Docker engine of their own, which takes root and dockerd (TEST=name: only those)
	@scripts/need.sh rust go
	cargo build --locked --workspace --bins
	scripts/with-docker.sh cargo test --locked --workspace --no-fail-fast --test docker_life --test dev_environment $(TEST)

acceptance: tools ## Tests that drive Terraform and OpenTofu through the sandbox and, where one can be started, a Docker engine (TEST=name: only those)
	cargo build --locked --workspace --bins
	@echo "Each test runs Terraform or OpenTofu many times. Those under \`kills\` end it, or the provider, on purpose at one call after another: minutes each"
	scripts/with-docker.sh --or-without cargo test --locked --workspace --no-fail-fast --test acceptance --test terraform_tree -- --test-threads=4 $(TEST)

flux: $(KUSTOMIZE) ## Builds the flux/ tree of all clusters and validates it
	@scripts/need.sh rust
	cargo build --locked --workspace --bins
	target/debug/flux-inferadb validate --kustomize $(KUSTOMIZE_CLI) --vars flux/bootstrap.yaml --waived

plugin-release: ## Packs the Flux plugin of this machine for a release: archive, checksums and manifest, into .build/release
	@scripts/need.sh rust
	cargo build --locked --release -p flux-inferadb
	@rm -rf $(BUILD)/release
	@case $$(uname -s) in Darwin) system=darwin ;; *) system=linux ;; esac; \
	  case $$(uname -m) in arm64 | aarch64) processor=arm64 ;; *) processor=amd64 ;; esac; \
	  version=$$(sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1); \
	  scripts/release-plugin.sh "v$$version" $(BUILD)/release "$${system}_$$processor=target/release/flux-inferadb"

flux-full: ## Asks a throw-away API server whether it takes all objects and pods of the flux/ tree, where something has changed since it did
	@scripts/flux-full.sh

flux-full-tests: $(KUSTOMIZE) $(ETCD) $(KUBECTL) $(KUBE_APISERVER)
	@scripts/need.sh rust
	cargo test --locked --workspace --no-fail-fast --test server_side -- --nocapture $(TEST)

bench: $(KUSTOMIZE) $(KUBECTL) $(FLATE) ## Measures flux inferadb beside kubectl and flate, and fails where a ratio is missed
	@scripts/need.sh rust
	@echo "Building for release: some minutes the first time"
	FLATE_CLI=$(CURDIR)/$(FLATE) cargo bench --locked --package flux-inferadb --bench fleet

docs: $(TFPLUGINDOCS) ## Writes the provider's pages in docs/, from its schema, templates/ and examples/
	@scripts/need.sh rust terraform
	cargo build --locked --workspace --bins
	scripts/docs.sh write

docs-check: $(TFPLUGINDOCS) ## Fails where `make docs` would change something
	@scripts/need.sh rust terraform
	cargo build --locked --workspace --bins
	scripts/docs.sh check

module-docs: $(TERRAFORM_DOCS) ## Writes inputs and outputs into the READMEs of terraform/modules
	@cd terraform && for module in modules/*/; do $(CURDIR)/$(TERRAFORM_DOCS) -c .terraform-docs.yml "$$module"; done

cilium: $(CILIUM) ## Renders Cilium's chart into talos/patches/common/cilium.yaml
	@cp $(CILIUM) talos/patches/common/cilium.yaml

cloud-schemas: ## Reads the schemas that tests hold modules on hashicorp/aws to, out of npm's @cdktf/provider-aws
	@mkdir -p $(BUILD)/cloud-schemas && cp acceptance-tests/tools/cloud-schemas/package*.json $(BUILD)/cloud-schemas/
	@cd $(BUILD)/cloud-schemas && npm ci --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps
	@node acceptance-tests/tools/cloud-schemas/extract.mjs $(BUILD)/cloud-schemas/node_modules/@cdktf/provider-aws \
	  $$(cat acceptance-tests/tools/cloud-schemas/resources.txt) > acceptance-tests/tests/terraform_tree/aws.json

mirror: ## The provider where `terraform init` finds it: for environments on AWS, which need AWS' provider too
	@scripts/mirror.sh

tools: $(TOFU) $(MACHINERY) $(TFPLUGINDOCS) $(TERRAFORM_DOCS) $(TFLINT) $(KUSTOMIZE) $(FLUX_ORACLE) $(CRD_ORACLE) $(HELM) $(CILIUM) ## All that the tests build in Go

tofu: $(TOFU) ## OpenTofu, built from source into .build/bin

$(TOFU): acceptance-tests/tools/tofu/go.mod acceptance-tests/tools/tofu/go.sum
	@scripts/need.sh go
	@echo "Building OpenTofu from source (some minutes, once)"
	@cd acceptance-tests/tools/tofu && $(GO_BUILD) -trimpath \
	  -ldflags '-s -w -X github.com/opentofu/opentofu/version.dev=no' \
	  -o $(CURDIR)/$(TOFU) github.com/opentofu/opentofu/cmd/tofu
	@touch $(TOFU)

$(TFPLUGINDOCS): acceptance-tests/tools/tfplugindocs/go.mod acceptance-tests/tools/tfplugindocs/go.sum
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs
	@touch $@

$(BUILD)/bin/machinery: acceptance-tests/tools/machinery/main.go acceptance-tests/tools/machinery/go.mod
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ .
	@touch $@

$(BUILD)/bin/machinery-v1.14: acceptance-tests/tools/machinery/main.go acceptance-tests/tools/machinery/v1.14.mod
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -modfile=v1.14.mod -trimpath -o $(CURDIR)/$@ .
	@touch $@

$(TERRAFORM_DOCS): acceptance-tests/tools/terraform-docs/go.mod acceptance-tests/tools/terraform-docs/go.sum
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ github.com/terraform-docs/terraform-docs
	@touch $@

$(TFLINT): acceptance-tests/tools/tflint/go.mod acceptance-tests/tools/tflint/go.sum
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ github.com/terraform-linters/tflint
	@touch $@

$(KUSTOMIZE): acceptance-tests/tools/kustomize/go.mod acceptance-tests/tools/kustomize/go.sum
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ sigs.k8s.io/kustomize/kustomize/v5
	@touch $@

# flate asks for a newer Go than all else here.
$(FLATE): acceptance-tests/tools/flate/go.mod acceptance-tests/tools/flate/go.sum
	@scripts/need.sh go
	@echo "Building flate from source (some minutes, once)"
	@cd $(<D) && GOTOOLCHAIN=go1.27.0 $(GO_BUILD) -trimpath -o $(CURDIR)/$@ github.com/home-operations/flate/cmd/flate
	@touch $@

# It knows its version from the link alone.
$(HELM): acceptance-tests/tools/helm/go.mod acceptance-tests/tools/helm/go.sum
	@scripts/need.sh go
	@cd $(<D) && version=$$(go list -m -f '{{.Version}}' helm.sh/helm/v4) && $(GO_BUILD) -trimpath \
	  -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$$version" -o $(CURDIR)/$@ helm.sh/helm/v4/cmd/helm
	@touch $@

$(FLUX_ORACLE): $(wildcard acceptance-tests/tools/flux-oracle/*)
	@scripts/need.sh go
	@cd acceptance-tests/tools/flux-oracle && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ .
	@touch $@

$(KUBE_APISERVER) $(KUBECTL): acceptance-tests/tools/kubernetes/go.mod acceptance-tests/tools/kubernetes/go.sum
	@scripts/need.sh go
	@echo "Building $(@F) from source (5 minutes for both on two cores, once)"
	@cd $(<D) && version=$$(go list -m -f '{{.Version}}' k8s.io/kubernetes) && minor=$${version#v*.} && \
	  CGO_ENABLED=0 $(GO_BUILD) -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$version \
	    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$${minor%%.*}" \
	  -o $(CURDIR)/$@ k8s.io/kubernetes/cmd/$(@F)
	@touch $@

$(ETCD): acceptance-tests/tools/kubernetes/go.mod acceptance-tests/tools/kubernetes/go.sum
	@scripts/need.sh go
	@cd $(<D) && CGO_ENABLED=0 $(GO_BUILD) -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ go.etcd.io/etcd/server/v3
	@touch $@

$(CRD_ORACLE): $(wildcard acceptance-tests/tools/crd-oracle/*)
	@scripts/need.sh go
	@cd $(<D) && $(GO_BUILD) -trimpath -o $(CURDIR)/$@ .
	@touch $@

# The chart comes out of Cilium's own repository, by way of Go's module proxy, which checks it against chart.sum.
$(CILIUM): $(wildcard acceptance-tests/tools/cilium/*) talos/cilium-values.yaml versions.yaml
	@scripts/need.sh go
	@cd acceptance-tests/tools/cilium && $(GO_BUILD) -trimpath -o $(CURDIR)/$(BUILD)/bin/cilium-patch .
	@chart=$$(cd acceptance-tests/tools/cilium && go mod download -modfile=chart.mod -json github.com/cilium/cilium | sed -n 's/^.*"Dir": "\(.*\)".*$$/\1/p') && \
	  kubernetes=$$(scripts/preferred.sh kubernetes) && \
	  $(BUILD)/bin/cilium-patch -chart "$$chart/install/kubernetes/cilium" -values talos/cilium-values.yaml -kubernetes "$$kubernetes" > $@.new
	@mv $@.new $@

need-quickstart:
	@scripts/need.sh rust python terraform-or-tofu

clean: ## Removes all that was built and downloaded into this folder
	rm -rf target $(BUILD)
