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

# Where the sources of each family of programs are, and where its objects go.
FAMILIES="
bpf:src/connscope/bpf
tests/kernel/objects:tests/kernel/objects
bench/objects:bench/objects
"

require_compiler() {
	for program in clang-14 llvm-strip-14; do
		command -v $program >/dev/null ||
			fail "no $program here, the compiler is pinned; run: tools/setup.sh --bpf"
	done
}

compile() {
	as_owner clang-14 -target bpf -g -O2 -Wall -Werror -mcpu=v2 -fms-extensions -Wno-microsoft-anon-tag \
		-D__TARGET_ARCH_x86 \
		-I/usr/include/x86_64-linux-gnu "-ffile-prefix-map=$PWD=." -c "$1" -o "$2"
	as_owner llvm-strip-14 -g "$2"
}

# build PREFIX: compiles every program; the objects go to their places below PREFIX.
build() {
	for family in $FAMILIES; do
		for source in "${family%:*}"/*.bpf.c; do
			[ -e "$source" ] || continue
			as_owner mkdir -p "$1/${family#*:}"
			compile "$source" "$1/${family#*:}/$(basename "$source" .c).o"
		done
	done
}

# compare PREFIX: names the objects that differ between the tree and a build, or that one lacks.
compare() {
	for family in $FAMILIES; do
		for object in "${family#*:}"/*.bpf.o "$1/${family#*:}"/*.bpf.o; do
			[ -e "$object" ] || continue
			object=${object#"$1/"}
			cmp -s "$object" "$1/$object" || echo "$object"
		done
	done | sort -u
}

check() {
	fresh=$(as_owner mktemp -d)
	trap 'rm -rf "$fresh"' EXIT
	build "$fresh"
	differing=$(compare "$fresh")
	if [ -n "$differing" ]; then
		echo "$differing" | sed 's/$/ differs from its source/' >&2
		fail "objects are not built from these sources; run: make bpf"
	fi
	echo "BPF objects: built from these sources, byte for byte"
}

require_compiler
case ${1-} in
'') build . ;;
--check) check ;;
*) fail "unknown option $1: tools/build_bpf.sh [--check]" ;;
esac
