#!/usr/bin/env bash
# Makes a Python with pyarrow in the folder given as argument: bin/python there goes into VIVACE_TEST_PYARROW.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
target="${1:?usage: install.sh FOLDER}"
list="$here/requirements.txt"
if ! cmp -s "$list" "$target/installed.txt"; then
  rm -rf "$target"
  python3 -m venv "$target"
  "$target/bin/pip" install -q --disable-pip-version-check -r "$list"
  cp "$list" "$target/installed.txt"
fi
