#!/bin/sh
# Checks that the committed declarations of libbpf are what their generator makes.
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

GENERATOR=tools/build_libbpf_abi.py
GENERATED=src/connscope/kernel/_libbpf_abi.py

# The generator writes next to itself, so a copy of it writes elsewhere.
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
mkdir -p "$fresh/tools" "$fresh/$(dirname $GENERATED)"
cp $GENERATOR "$fresh/tools"
.venv/bin/python -B "$fresh/$GENERATOR" >/dev/null
cmp -s $GENERATED "$fresh/$GENERATED" ||
	fail "$GENERATED is not what $GENERATOR makes; run: make abi"
