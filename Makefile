# Thin on purpose: every target calls cargo or `cargo xtask`. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
# As the tests build it, so that its dependencies are built once.
XTASK = $${CARGO_TARGET_DIR:-target}/debug/xtask

# What `scripts/setup.sh` gets for `runtime: wasi`.
export JALM_ISOLATION__PYTHON_WASI ?= $(or $(CARGO_TARGET_DIR),target)/engines/python-wasi.wasm

.PHONY: help demo dev_setup python_wasi dev_run dev_test check lint bench bench_kernel soak search_isolate kernel_raw kernel_group kernel_cards gen kernel_clean

help: ## List the targets
	@grep -hE '^[a-z_]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: dev_setup ## Build, run an intent over all six layers to its end, show the result
	$(CARGO) build --package jalm --package xtask
	$(XTASK) demo

dev_setup: ## Install what building and testing need
	scripts/setup.sh

dev_run: dev_setup ## Serve on http://127.0.0.1:8888 with the data in ./data
	$(CARGO) run --package jalm -- serve

dev_test: dev_setup ## Run all tests
	$(CARGO) test --workspace --doc --quiet
	$(CARGO) nextest run --workspace --no-fail-fast

lint: dev_setup ## Formatting, lints, layout, stale generated files
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) nextest run --workspace --no-run --cargo-quiet
	$(XTASK) dag
	$(XTASK) size
	$(XTASK) links
	$(XTASK) samples
	$(XTASK) errors
	$(XTASK) gen --check

check: lint dev_test ## What CI runs

bench: dev_setup ## Measure the whole system; the figures of docs/performance.md
	$(CARGO) build --release --package jalm --package jalm-benches
	target/release/jalm-bench all target/release/jalm

bench_kernel: ## Measure single functions (criterion)
	$(CARGO) bench --package jalm-benches

soak: dev_setup ## The long tests: 1,000 kills, many more simulated crashes
	JALM_KILLS=1000 JALM_SIM_CASES=1000000 $(CARGO) nextest run --workspace --no-fail-fast -E 'test(/kill|simulat/)'

python_wasi: ## Build Python for `runtime: wasi` into ./data
	scripts/python_wasi.sh

search_isolate: ## Look at this host: what can run foreign code, how fast
	$(CARGO) build --release --package jalm
	$(CARGO) xtask search-isolate

kernel_raw: ## Generate kernel/raw_atomics.csv
	$(CARGO) xtask gen --only raw

kernel_group: ## Generate kernel/layers.json
	$(CARGO) xtask gen --only layers

kernel_cards: ## Generate kernel/step_cards/*.yml
	$(CARGO) xtask gen --only cards

gen: ## Generate everything that is generated
	$(CARGO) build --package jalm --quiet
	$(CARGO) xtask gen

kernel_clean: ## Remove what was built
	$(CARGO) clean
	rm -rf dist
