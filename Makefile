# podledger: `make run` shows it, `make test` proves it, `make check` is the whole gate.
.DEFAULT_GOAL := help
.PHONY: help run test check fmt lint docs deny advisories schemas bench bench-short install tools servers

CARGO ?= cargo
TOOLS := $(HOME)/.cache/podledger/tools
CARGO_DENY := $(TOOLS)/bin/cargo-deny

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Build in release mode and report on the example cluster
	$(CARGO) run --release --quiet --package podledger-cli --bin podledger -- \
		up --once --dump examples/cluster --ped examples/ped

test: ## Run every test (the whole-system tests start the real binaries, built first)
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace

check: fmt lint docs deny schemas test bench-short ## The whole gate, as CI runs it

fmt: ## Formatting
	$(CARGO) fmt --all --check

lint: ## Clippy, warnings as errors
	$(CARGO) clippy --workspace --all-targets -- --deny warnings

docs: ## Documentation, warnings as errors
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --document-private-items

deny: tools ## Licences, sources and banned crates
	$(CARGO_DENY) check bans licenses sources

advisories: tools ## Security advisories (needs the advisory database from the internet)
	$(CARGO_DENY) check advisories

schemas: ## Generated types are fresh, past versions of messages readable
	$(CARGO) run --quiet --package podledger-cli --bin podledger -- schema check
	$(CARGO) test --quiet --package podledger-schemas-generate

bench: ## Measure the figures of README (release, medians; takes minutes)
	$(CARGO) bench --quiet --package podledger-tests --bench figures

bench-short: ## Run every benchmark once on little, so that none rots
	$(CARGO) test --workspace --bench '*' --quiet

servers: ## Build the servers that stand in for Google's services (needs Go; minutes, once)
	tests/servers/build all

install: ## Install the command line into cargo's bin directory
	$(CARGO) install --path cli --locked

tools: $(CARGO_DENY) ## Install what the gate needs besides the Rust toolchain

$(CARGO_DENY):
	$(CARGO) install cargo-deny --locked --version '^0.19' --root $(TOOLS)
