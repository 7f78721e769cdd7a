#!/bin/sh
# Runs connscope from this tree, as root if that can be had: only the program itself is elevated.
# Without, it captures what it can and says what is missing.
#
#   tools/launch.sh COMMAND [ARGUMENT…]
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

# -B: root leaves no byte code behind in a user's tree.
set -- .venv/bin/python -B .venv/bin/connscope "$@"
if is_root || command -v sudo >/dev/null; then
	as_root "$@"
else
	echo "connscope: not root and no sudo here: going on without privileges" >&2
	"$@"
fi
