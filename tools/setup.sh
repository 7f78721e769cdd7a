#!/bin/sh
# Fills .venv, so that connscope runs from this tree. Does nothing if that was done already.
#
#   tools/setup.sh           what connscope needs to run
#   tools/setup.sh --dev     and what `make test` and `make check` need
#   tools/setup.sh --bpf     and what builds the BPF objects
#   tools/setup.sh --bench   and what `make bench` compares with
#   tools/setup.sh --vm      and what `make test-kernels` boots with
#
# What is missing of the system is asked of apt in one go; without apt it is named. Packages of
# Python come from requirements/, by hash, and belong to the owner of the tree.
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

VENV=.venv
STAMP=$VENV/connscope-setup
PYTHONS="python3 python3.14 python3.13 python3.12 python3.11"

level=runtime
want_bpf=no
want_bench=no
want_vm=no
missing=

read_options() {
	for option in "$@"; do
		case $option in
		--dev) level=dev ;;
		--bpf) want_bpf=yes ;;
		--bench) want_bench=yes ;;
		--vm) want_vm=yes ;;
		*) fail "unknown option $option: tools/setup.sh [--dev] [--bpf] [--bench] [--vm]" ;;
		esac
	done
}

require_linux() {
	[ "$(uname -s)" = Linux ] ||
		fail "$(uname -s) has no BPF, Linux is needed; in a Linux machine run: make setup"
	case $(uname -r) in
	*-Microsoft) fail "WSL 1 has no Linux kernel; in PowerShell run: wsl --set-version DISTRO 2" ;;
	esac
}

# Prints the first Python that is new enough, as the owner of the tree finds it.
find_python() {
	for python in $PYTHONS; do
		if as_owner "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			echo "$python"
			return
		fi
	done
}

# need COMMAND PACKAGE…: the packages are missing unless the command succeeds.
need() {
	check=$1
	shift
	sh -c "$check" >/dev/null 2>&1 || missing="$missing $*"
}

# The environment is whole: its Python runs, and pip with it.
venv_works() {
	as_owner $VENV/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

need_python() {
	venv_works && return
	python=$(find_python)
	if [ -z "$python" ]; then
		missing="$missing python3-venv"
	elif ! as_owner "$python" -c 'import ensurepip, venv' 2>/dev/null; then
		missing="$missing $python-venv"
	fi
}

find_missing() {
	is_done || need_python
	need "ldconfig -p | grep -q 'libbpf[.]so[.]1 '" libbpf1
	need 'command -v ip' iproute2
	if [ $level = dev ]; then
		need 'command -v gcc' gcc
		need 'command -v nft' nftables
		need 'test -e /usr/include/stdio.h' libc6-dev
		need 'command -v make' make
	fi
	if [ $want_bpf = yes ]; then
		need 'command -v clang-14' clang-14
		need 'command -v llvm-strip-14' llvm-14
		need 'test -e /usr/include/bpf/bpf_helpers.h' libbpf-dev
		need 'test -e /usr/include/linux/bpf.h' linux-libc-dev
	fi
	if [ $want_bench = yes ]; then
		need 'command -v tcplife || test -e /usr/sbin/tcplife' libbpf-tools
		need 'command -v bpftool || test -e /usr/sbin/bpftool' bpftool
		need 'command -v redis-server' redis-server
		need 'command -v redis-benchmark' redis-tools
	fi
	if [ $want_vm = yes ]; then
		need 'command -v qemu-system-x86_64' qemu-system-x86
		need 'command -v kmod' kmod
		need 'dpkg -s busybox-static' busybox-static
		need 'command -v cpio' cpio
		need 'test -e /usr/share/keyrings/debian-archive-keyring.gpg' debian-archive-keyring
	fi
}

# A package by its name on Debian, in the words of the package manager that is here.
other_install_command() {
	if command -v dnf; then
		echo "dnf install libbpf iproute gcc make clang llvm libbpf-devel python3"
	elif command -v pacman; then
		echo "pacman -S libbpf iproute2 gcc make clang llvm python"
	elif command -v zypper; then
		echo "zypper install libbpf1 iproute2 gcc make clang llvm libbpf-devel python3"
	elif command -v apk; then
		echo "apk add libbpf iproute2 gcc make musl-dev python3"
	fi 2>/dev/null | tail -n 1
}

# Asks the system's package manager once for everything. The lists are refreshed first: a fresh
# machine has none, and old ones name packages that are gone.
install_missing() {
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null; then
		command=$(other_install_command)
		fail "missing, by Debian's names:$missing; there is no apt-get here," \
			"install the like by hand${command:+, e.g.: $command}"
	fi
	is_root || command -v sudo >/dev/null ||
		fail "missing:$missing; there is no sudo here, as root run: apt-get install$missing"
	echo "connscope: installing$missing"
	run_apt update || true
	# shellcheck disable=SC2086 # a list of words
	run_apt install --yes --no-install-recommends $missing ||
		fail "could not install$missing; as root run: apt-get update && apt-get install$missing"
}

run_apt() {
	as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
		apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# What .venv must be filled from; a moved tree counts as a change, for scripts name their Python.
fingerprint() {
	{
		pwd
		cat pyproject.toml requirements/*.txt
	} | sha256sum | cut -d' ' -f1
}

# An environment that was made for development stays one.
keep_level() {
	if [ -r $STAMP ] && grep -q '^dev ' $STAMP; then level=dev; fi
}

is_done() {
	[ -r $STAMP ] && [ "$(cat $STAMP)" = "$level $(fingerprint)" ] &&
		as_owner $VENV/bin/python -c '' 2>/dev/null
}

make_venv() {
	if [ -e $VENV ] && ! as_owner test -w $VENV; then
		fail "$VENV belongs to somebody else; run: sudo rm -rf $PWD/$VENV"
	fi
	venv_works && return
	python=$(find_python)
	[ -n "$python" ] || fail "no Python 3.11 or newer here; as root run:" \
		"apt-get install python3.11-venv (or newer)"
	as_owner "$python" -m venv --clear $VENV
}

install_pip() {
	as_owner env PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
		$VENV/bin/python -m pip install --quiet --no-warn-script-location "$@" ||
		fail "pip could not fill $VENV, its reason is above; mend it and run: make setup"
}

fill_venv() {
	is_done && return
	echo "connscope: filling $VENV"
	make_venv
	if [ $level = dev ]; then
		install_pip --require-hashes -r requirements/dev.txt
	else
		install_pip --require-hashes -r requirements/server.txt -r requirements/build.txt
	fi
	install_pip --no-deps --no-build-isolation --editable .
	# shellcheck disable=SC2016 # the inner shell expands it
	as_owner sh -c 'echo "$1" > "$2"' sh "$level $(fingerprint)" $STAMP
}

read_options "$@"
require_linux
keep_level
find_missing
install_missing
fill_venv
