#!/bin/sh
# Runs the tests: all of them as root, or the unit tests as a user and the kernel tests elevated.
#
#   tools/run_tests.sh [ARGUMENT OF PYTEST…]
#   UNIT=1: only the unit tests, no root needed
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

# Root leaves nothing of its own behind in a user's tree.
pytest_as_root() {
	scratch=$(mktemp -d)
	status=0
	as_root env PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY="$scratch" CI="${CI-}" \
		.venv/bin/python -m pytest -p no:cacheprovider "$@" || status=$?
	as_root rm -rf "$scratch"
	[ ! -e build ] || as_root chown -R "$(stat -c %u:%g .)" build
	return $status
}

unit_tests() {
	as_owner .venv/bin/python -m pytest -m 'not kernel' "$@"
}

can_trace() {
	root_is_free && as_root tools/privilege.sh holds_capabilities
}

count_kernel_tests() {
	as_owner .venv/bin/python -m pytest --collect-only -q -m kernel 2>/dev/null | grep -c :: || true
}

# Both parts run, whatever the first one found.
both_parts() {
	status=0
	unit_tests "$@" || status=$?
	pytest_as_root -m kernel "$@" || status=$?
	return $status
}

what_lacks() {
	if is_root && ! holds_capabilities; then echo "CAP_BPF and CAP_PERFMON"; else echo root; fi
}

# Leaving out tests is a failure, unless that was asked for.
unit_part_only() {
	status=0
	unit_tests "$@" || status=$?
	echo "$(count_kernel_tests) kernel tests NOT run: need $(what_lacks)"
	[ "$status" -eq 0 ] && [ "${UNIT-}" = 1 ]
}

if [ "${UNIT-}" = 1 ] || ! can_trace; then
	unit_part_only "$@"
elif is_root && ! lends_hand; then
	.venv/bin/python -m pytest "$@"
else
	both_parts "$@"
fi
