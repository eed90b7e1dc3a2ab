#!/usr/bin/env bash
# Installs what building and testing need, if it is missing: a C compiler (SQLite and QuickJS are
# built from source), make, Go, and cargo-nextest. Rust itself must be there: https://rustup.rs
set -euo pipefail

say() { printf 'dev_setup: %s\n' "$*" >&2; }

if ! command -v cargo >/dev/null; then
  say "cargo is missing; install Rust 1.95 or newer from https://rustup.rs"
  exit 1
fi

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing ${missing[*]}"
    apt-get update -qq
    apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    say "a C compiler is missing; install it with your package manager (Debian: gcc libc6-dev)"
    exit 1
  fi
fi

# Scripts in Go are compiled by the host's Go; without it, their tests pass themselves over.
if ! command -v go >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  say "installing golang-go"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends golang-go >/dev/null
fi

if ! cargo nextest --version >/dev/null 2>&1; then
  say "installing cargo-nextest"
  cargo install --locked --quiet cargo-nextest
fi
