#!/usr/bin/env bash
# Counts the instructions of the hot loops and compares them with INSTRUCTIONS.json. Exit code 1: one is slower than it may be.
#   bench/guard/run.sh                 all loops
#   bench/guard/run.sh --only scan     some of them
#   bench/guard/run.sh --record        writes the counts down instead
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v valgrind >/dev/null || { echo "bench/guard/run.sh: valgrind is needed" >&2; exit 1; }
cargo build --release -q -p vivace-guard
exec "${CARGO_TARGET_DIR:-target}/release/vivace-guard" compare bench/guard/INSTRUCTIONS.json "$@"
