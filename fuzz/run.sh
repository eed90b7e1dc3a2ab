#!/bin/sh
# Runs fuzz targets, each for so many seconds: fuzz/run.sh [SECONDS] [TARGET...]
# Needs a C++ compiler and the toolchain of the project, nothing else. See README.md.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- intent expression params journal codec parse_xml parse_csv parse_json

host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
-Ccodegen-units=1"
# A target triple keeps the flags away from build scripts and macros.
cargo build --release --target "$host" --bins

for target in "$@"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    echo "== $target, $seconds s"
    "target/$host/release/$target" "corpus/$target" "seeds/$target" \
        -artifact_prefix="artifacts/$target/" -dict=jalm.dict \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 \
        -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 2>&1 |
        grep -Ev '^(INFO|#[0-9]+.(NEW|REDUCE|pulse|INITED))|^[[:space:]]*NEW_(FUNC|PC)' || true
    if [ -n "$(ls "artifacts/$target")" ]; then
        echo "found: fuzz/artifacts/$target (make each a seed in seeds/$target, then mend it)"
        exit 1
    fi
done
