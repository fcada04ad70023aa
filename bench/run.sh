#!/bin/sh
# Builds everything for release, runs all scenarios, rewrites RESULTS.md. Needs nothing but loopback.
# Options go to vivace-bench (--help lists them); with --only or a server of somebody else's, RESULTS.md stays as it is.
set -eu
cd "$(dirname "$0")/.."
cargo build --release -p vivace -p vivace-bench --bins
results="--results bench/RESULTS.md"
for word in "$@"; do
    case "$word" in
    --only* | --external* | --results*) results="" ;;
    esac
done
# shellcheck disable=SC2086 # two words or none
exec "${CARGO_TARGET_DIR:-target}/release/vivace-bench" $results "$@"
