#!/bin/sh
# Builds everything for release, runs all scenarios, rewrites RESULTS.md. Needs nothing but loopback; cold-s3 needs a Python with moto.
# Options go to vivace-bench (--help lists them). With --only or a server of somebody else's, RESULTS.md stays as it is, unless
# --results names it: then only the sections of what ran are rewritten.
set -eu
cd "$(dirname "$0")/.."
cargo build --release -p vivace -p vivace-bench --bins
results="--results bench/RESULTS.md"
for word in "$@"; do
    case "$word" in
    --only* | --external* | --query-url* | --results*) results="" ;;
    esac
done
# shellcheck disable=SC2086 # two words or none
exec "${CARGO_TARGET_DIR:-target}/release/vivace-bench" $results "$@"
