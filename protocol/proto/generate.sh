#!/usr/bin/env bash
# Makes services.bin, the descriptions that gRPC reflection gives out, from the .proto files beside it.
set -euo pipefail
cd "$(dirname "$0")"
venv="$(mktemp -d)"
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check grpcio-tools==1.74.0
mapfile -t files < <(find . -name '*.proto' -printf '%P\n' | sort)
"$venv/bin/python" -m grpc_tools.protoc -I. --include_imports --descriptor_set_out=services.bin "${files[@]}"
