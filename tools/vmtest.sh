#!/bin/sh
# Runs the kernel tests on other kernels, see docs/kernels.md:
#
#   tools/vmtest.sh [OPTION OF python -m vmtest…]
#   OPTIONAL=1: where no virtual machine can be had it says so and is content
#
# virtme-ng has an environment of its own, build/virtme, filled by hash.
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

VENV=build/virtme
STAMP=$VENV/connscope-setup

# What keeps us from testing here is a failure, unless that was allowed.
can_not() {
	echo "connscope: other kernels NOT tested: $*" >&2
	[ "${OPTIONAL-}" = 1 ] && exit 0
	exit 1
}

fill_venv() {
	wanted=$(sha256sum requirements/vmtest.txt)
	[ -r $STAMP ] && [ "$(cat $STAMP)" = "$wanted" ] && return
	as_owner .venv/bin/python -m venv --clear $VENV &&
		as_owner $VENV/bin/python -m pip install --quiet --disable-pip-version-check \
			--require-hashes -r requirements/vmtest.txt || return
	echo "$wanted" | as_owner tee $STAMP >/dev/null
}

[ "$(uname -m)" = x86_64 ] || can_not "this is $(uname -m), the kernels are for x86_64"
tools/setup.sh --dev --vm || can_not "a package is missing, the reason is above"
fill_venv || can_not "virtme-ng could not be installed, the reason is above"
as_owner env PATH="$PWD/$VENV/bin:/usr/sbin:/sbin:$PATH" .venv/bin/python -B -m vmtest "$@" ||
	{
		status=$?
		[ $status -eq 3 ] && can_not "a kernel can not be had, the reason is above"
		exit $status
	}
