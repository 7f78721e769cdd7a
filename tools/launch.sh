#!/bin/sh
# Runs connscope from this tree, as root: only the program itself is elevated.
#
#   tools/launch.sh COMMAND [ARGUMENT…]
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

if is_root; then
	require_capabilities
elif ! command -v sudo >/dev/null; then
	fail "tracing needs root and there is no sudo here; as root run: make launch"
fi
# -B: root leaves no byte code behind in a user's tree.
as_root .venv/bin/python -B .venv/bin/connscope "$@"
