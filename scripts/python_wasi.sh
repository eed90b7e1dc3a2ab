#!/usr/bin/env bash
# Builds Python for `runtime: wasi`: CPython as one WebAssembly component, with its usual modules
# loaded. It is some 26 MB and needs nothing of the machine that runs it.
#
#   scripts/python_wasi.sh [FILE]     default: data/engines/python-wasi.wasm
#
# Needs python3 with `venv`, and PyPI once. What is there and up to date is left alone.
set -euo pipefail

COMPONENTIZE=0.25.1
TZDATA=2026.6

say() { printf 'python_wasi: %s\n' "$*" >&2; }

root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-data/engines/python-wasi.wasm}
sources=("$root/isolates/src/native/contract.py" "$root/isolates/python-wasi/app.py" "$root/isolates/python-wasi/world.wit")

inputs=$( (echo "$COMPONENTIZE $TZDATA"; cat "${sources[@]}") | sha256sum | cut -d' ' -f1)
if [ -f "$target" ] && [ "$(cat "$target.inputs" 2>/dev/null)" = "$inputs" ]; then
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "building $target"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$COMPONENTIZE"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --target "$work/app" "tzdata==$TZDATA"
cp "${sources[@]}" "$work/app/"
(cd "$work" && venv/bin/componentize-py --quiet -d app/world.wit -w script componentize app -p app -o made.wasm)
mkdir -p "$(dirname "$target")"
# Whole or not at all: it may be in use.
cp "$work/made.wasm" "$target.new"
mv "$target.new" "$target"
echo "$inputs" > "$target.inputs"
