# One command a task; each sets up what it needs and names what it cannot set up.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUILD := .build
TOFU  := $(BUILD)/bin/tofu

.PHONY: help quickstart sandbox test fmt fmt-check build lint unit acceptance tofu need-quickstart clean

help: ## Lists the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

quickstart: need-quickstart ## From nothing to a healthy cluster and back, against a cloud on this machine (KEEP=1: leave it standing)
	@echo "Building the provider and the sandbox (the first build takes some minutes)"
	@cargo build --quiet --package terraform-provider-inferadb --package acceptance-tests --bins
	@KEEP='$(KEEP)' target/debug/quickstart

sandbox: need-quickstart ## The cloud on this machine alone, until Ctrl-C: point a Terraform of your own at it
	@cargo build --quiet --package terraform-provider-inferadb --package acceptance-tests --bins
	@target/debug/sandbox

test: ## Everything that CI runs: formatting, build, clippy, unit tests, acceptance tests with Terraform and OpenTofu
	@scripts/test.sh

fmt: ## Formats all sources
	cargo fmt --all
	@if command -v terraform >/dev/null; then terraform fmt -recursive examples; else tofu fmt -recursive examples; fi

fmt-check: ## Fails where `make fmt` would change something
	cargo fmt --all --check
	@if command -v terraform >/dev/null; then terraform fmt -check -diff -recursive examples; else $(TOFU) fmt -check -diff -recursive examples; fi

build: ## Builds all crates and all test programs
	cargo build --locked --workspace --all-targets

lint: ## clippy, warnings as errors
	cargo clippy --locked --workspace --all-targets -- --deny warnings

unit: ## Tests that need no Terraform (TEST=name: only those)
	cargo test --locked --workspace --exclude acceptance-tests --no-fail-fast $(TEST)

acceptance: tofu ## Tests that drive Terraform and OpenTofu through the sandbox (TEST=name: only those)
	cargo build --locked --package terraform-provider-inferadb
	cargo test --locked --package acceptance-tests --no-fail-fast -- --test-threads=2 $(TEST)

tofu: $(TOFU) ## OpenTofu, built from source into .build/bin

$(TOFU): acceptance-tests/tools/tofu/go.mod acceptance-tests/tools/tofu/go.sum
	@scripts/need.sh go
	@echo "Building OpenTofu from source (some minutes, once)"
	@cd acceptance-tests/tools/tofu && go build -trimpath \
	  -ldflags '-s -w -X github.com/opentofu/opentofu/version.dev=no' \
	  -o $(CURDIR)/$(TOFU) github.com/opentofu/opentofu/cmd/tofu
	@touch $(TOFU)

need-quickstart:
	@scripts/need.sh rust python terraform-or-tofu

clean: ## Removes all that was built and downloaded into this folder
	rm -rf target $(BUILD)
