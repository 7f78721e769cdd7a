#!/bin/sh
# Builds the BPF objects that are committed next to the package, byte for byte the same anywhere.
#
#   tools/build_bpf.sh           builds them
#   tools/build_bpf.sh --check   builds them elsewhere and names those that differ from the tree's
#
# The compiler is pinned to clang 14: another one makes other bytes. tools/setup.sh --bpf has it.
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

# SOURCE DIRECTORY and OBJECT DIRECTORY of each family of programs.
PRODUCT="bpf src/connscope/bpf"
TESTS="tests/kernel/objects tests/kernel/objects"

require_compiler() {
	for program in clang-14 llvm-strip-14; do
		command -v $program >/dev/null ||
			fail "no $program here, the compiler is pinned; run: tools/setup.sh --bpf"
	done
}

compile() {
	as_owner clang-14 -target bpf -g -O2 -Wall -Werror -mcpu=v2 -D__TARGET_ARCH_x86 \
		-I/usr/include/x86_64-linux-gnu "-ffile-prefix-map=$PWD=." -c "$1" -o "$2"
	as_owner llvm-strip-14 -g "$2"
}

# build SOURCES OBJECTS PREFIX: compiles a family into PREFIX/OBJECTS.
build() {
	for source in "$1"/*.bpf.c; do
		[ -e "$source" ] || continue
		as_owner mkdir -p "$3/$2"
		object=$2/$(basename "$source" .c).o
		compile "$source" "$3/$object"
	done
}

# compare OBJECTS PREFIX: names what differs between a fresh build and the tree, in both directions.
compare() {
	for object in "$1"/*.bpf.o "$2/$1"/*.bpf.o; do
		[ -e "$object" ] || continue
		object=${object#"$2/"}
		cmp -s "$object" "$2/$object" || echo "$object"
	done | sort -u
}

check() {
	fresh=$(as_owner mktemp -d)
	trap 'rm -rf "$fresh"' EXIT
	# shellcheck disable=SC2086 # two words each
	{
		build $PRODUCT "$fresh"
		build $TESTS "$fresh"
		differing=$(compare "${PRODUCT#* }" "$fresh" && compare "${TESTS#* }" "$fresh")
	}
	if [ -n "$differing" ]; then
		echo "$differing" | sed 's/$/ differs from its source/' >&2
		fail "objects are not built from these sources; run: make bpf"
	fi
	echo "BPF objects: built from these sources, byte for byte"
}

require_compiler
case ${1-} in
'')
	# shellcheck disable=SC2086 # two words each
	{
		build $PRODUCT .
		build $TESTS .
	}
	;;
--check) check ;;
*) fail "unknown option $1: tools/build_bpf.sh [--check]" ;;
esac
