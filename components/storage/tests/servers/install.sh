#!/usr/bin/env bash
# Puts object stores for tests into the folder given as argument: moto (S3), fake-gcs-server (Google) and Azurite (Azure).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
target="${1:?usage: install.sh FOLDER}"
mkdir -p "$target"
target="$(cd "$target" && pwd)"

python_list="$here/requirements.txt"
if ! cmp -s "$python_list" "$target/python/installed.txt"; then
  rm -rf "$target/python"
  python3 -m venv "$target/python"
  "$target/python/bin/pip" install -q --disable-pip-version-check -r "$python_list"
  cp "$python_list" "$target/python/installed.txt"
fi

if ! cmp -s "$here/package.json" "$target/node/package.json" || [ ! -d "$target/node/node_modules" ]; then
  rm -rf "$target/node"
  mkdir -p "$target/node"
  cp "$here/package.json" "$target/node/"
  (cd "$target/node" && npm install --loglevel=error --no-audit --no-fund --no-package-lock)
fi
