#!/usr/bin/env bash
# Gets Deno and Bun for the tests, as programs in one folder: `scripts/engines.sh FOLDER`. They come
# from npm, once; what is there is left alone. The runner itself uses what the host has.
set -euo pipefail

DENO=2.9.6
BUN=1.4.5

folder=${1:?a folder}
case "$(uname -m)" in
  x86_64) deno=linux-x64-glibc bun=bun-linux-x64 ;;
  aarch64) deno=linux-arm64-glibc bun=bun-linux-aarch64 ;;
  *) echo "engines: no Deno and Bun for $(uname -m)" >&2; exit 1 ;;
esac

# get NAME VERSION PACKAGE FILE
get() {
  if [ -x "$folder/$1" ] && [ "$(cat "$folder/$1.version" 2>/dev/null)" = "$2" ]; then
    return
  fi
  echo "engines: getting $1 $2" >&2
  local work
  work=$(mktemp -d)
  (cd "$work" && npm pack --silent "$3@$2" >/dev/null && tar xzf ./*.tgz)
  mkdir -p "$folder"
  mv "$work/package/$4" "$folder/$1.new"
  chmod +x "$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
  echo "$2" >"$folder/$1.version"
  rm -rf "$work"
}

get deno "$DENO" "@deno/$deno" deno
get bun "$BUN" "@oven/$bun" bin/bun
