#!/usr/bin/env bash
# Installs what building and testing need, if it is missing: a C compiler (SQLite and QuickJS are
# built from source), Python, Node and Go (scripts of the tests), and cargo-nextest. Rust itself
# must be there: https://rustup.rs
set -euo pipefail

say() { printf 'dev_setup: %s\n' "$*" >&2; }

if ! command -v cargo >/dev/null; then
  say "cargo is missing; install Rust 1.95 or newer from https://rustup.rs"
  exit 1
fi

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
# What the tests run scripts on; the runner itself needs none of it.
command -v python3 >/dev/null || missing+=(python3)
command -v node >/dev/null || missing+=(nodejs)
command -v go >/dev/null || missing+=(golang-go)
if [ "${#missing[@]}" -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing ${missing[*]}"
    apt-get update -qq
    apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    say "missing: ${missing[*]} (Debian's names); install them with your package manager"
    exit 1
  fi
fi

# Python for `runtime: wasi`, for the tests and `make dev_run`. It needs PyPI, once.
if ! scripts/python_wasi.sh "${CARGO_TARGET_DIR:-target}/engines/python-wasi.wasm"; then
  say "there is no Python for WebAssembly then; its tests are passed over"
fi

# Deno and Bun, for the tests. They need npm's registry, once.
if ! { command -v npm >/dev/null && scripts/engines.sh "${CARGO_TARGET_DIR:-target}/engines"; }; then
  say "there are no Deno and Bun then; their tests are passed over, unless the host has them"
fi

if ! cargo nextest --version >/dev/null 2>&1; then
  say "installing cargo-nextest"
  cargo install --locked --quiet cargo-nextest
fi
