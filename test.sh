#!/usr/bin/env bash
# Installs what a fresh machine lacks, then runs every test. Fails on the first thing that is wrong.
#   ./test.sh            everything
#   ./test.sh quick      formatting, lints and Rust tests only (no packages of Python and Node, no release build)
set -euo pipefail
cd "$(dirname "$0")"
mode="${1:-all}"
started=$SECONDS
step() { printf '\n== %s (%ss)\n' "$*" "$((SECONDS - started))"; }
need() { command -v "$1" >/dev/null 2>&1; }

export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export CARGO_INCREMENTAL=0

step "tools"
need cargo || { echo "test.sh: cargo (Rust 1.95 or newer) is needed: https://rustup.rs" >&2; exit 1; }
missing=()
need cc || missing+=(gcc)
need python3 || missing+=(python3 python3-venv)
need curl || missing+=(curl)
need npm || missing+=(nodejs npm)
[ "$mode" = quick ] || need valgrind || missing+=(valgrind)
if [ "${#missing[@]}" -gt 0 ]; then
  need apt-get || { echo "test.sh: please install: ${missing[*]}" >&2; exit 1; }
  sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo apt-get update -q
  $sudo apt-get install -q -y "${missing[@]}"
fi

step "format"
cargo fmt --all -- --check

step "lints"
cargo clippy --workspace --all-targets -q -- -D warnings

step "build"
cargo build --workspace --all-targets -q

if [ "$mode" != quick ]; then
  step "OpenTelemetry SDKs"
  clients="${CARGO_TARGET_DIR:-target}/clients"
  ./components/vivace/tests/clients/install.sh "$clients"
  export VIVACE_TEST_CLIENTS="$(cd "$clients" && pwd)"

  step "a reader of Parquet, object stores"
  target="$(dirname "$VIVACE_TEST_CLIENTS")"
  ./core/block_writer/tests/python/install.sh "$target/pyarrow"
  export VIVACE_TEST_PYARROW="$target/pyarrow/bin/python"
  ./components/storage/tests/servers/install.sh "$target/stores"
  export VIVACE_TEST_STORES="$target/stores"
fi

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --no-fail-fast
else
  cargo test --workspace --no-fail-fast
fi

if [ "$mode" != quick ]; then
  step "instruction counts"
  ./bench/guard/run.sh
fi

step "done"
