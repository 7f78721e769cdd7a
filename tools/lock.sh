#!/bin/sh
# Writes requirements/*.txt anew: the newest packages that fit requirements/*.in, with hashes, for
# every platform and Python. The resolver lives in an environment that is thrown away.
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

UV_VERSION=0.13.8

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

resolve() {
	name=$1
	shift
	"$scratch/bin/uv" pip compile --quiet --upgrade --no-config --system-certs \
		--universal --generate-hashes --python-version 3.11 --fork-strategy fewest --no-annotate \
		--custom-compile-command "make lock" "requirements/$name.in" \
		--output-file "requirements/$name.txt" "$@"
}

python3 -m venv "$scratch"
"$scratch/bin/python" -m pip install --quiet --disable-pip-version-check uv==$UV_VERSION ||
	fail "could not install uv $UV_VERSION, the reason is above; mend it and run: make lock"
# The others take the versions of the widest one.
resolve dev
resolve server --constraint requirements/dev.txt
resolve build --constraint requirements/dev.txt
resolve runtime --constraint requirements/dev.txt
resolve vmtest --constraint requirements/dev.txt
